import Foundation
import Testing

extension ProcessTests {
    /// The schema that editors use, judged by another program than ours.
    @Suite struct SchemaTests {
        static let judge = """
            import glob, json, sys, jsonschema, yaml
            root = sys.argv[1]
            schema = json.load(open(root + "/docs/template.schema.json"))
            jsonschema.Draft202012Validator.check_schema(schema)
            judge = jsonschema.Draft202012Validator(schema)
            texts = [(path, open(path).read()) for path in sorted(glob.glob(root + "/contracts/*.yaml"))]
            page = open(root + "/docs/TEMPLATES.md").read()
            texts.append(("TEMPLATES.md", "talea: 1" + page.split("```yaml\\ntalea: 1")[1].split("```")[0]))
            for path, text in texts:
                for fault in judge.iter_errors(yaml.safe_load(text)):
                    print("refused", path, list(fault.absolute_path), fault.message)
                for old, new in [("disputes: {arbiter:", "disputes: {umpire:"), ("title: {en:", "title: {fr:"),
                                 ("default: ", "defualt: "), ("claim: true", "claims: true"), ("kind: party", "kind: partner")]:
                    if old in text and judge.is_valid(yaml.safe_load(text.replace(old, new, 1))):
                        print("accepted", path, new)
            """

        @Test func `the editor's schema takes our templates and marks what is mistyped`()
            async throws
        {
            let python = try #require(Programs.python)
            let judged = try await Programs.run(python, ["-c", Self.judge, Programs.checkout])
            #expect(judged.status == 0, "\(judged.error)")
            #expect(judged.out == "")
        }
    }
}
