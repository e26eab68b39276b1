import Contracts

/// What the API takes, in OpenAPI 3.1, from the table of verbs and the templates that are here.
enum OpenAPI {
    static func description(version: Int64, templates: some Collection<Template>) -> JSON {
        var paths = Manual.answered.map { page, action in
            operation(page, action)
        }
        let added = Commands.verbs(of: templates).subtracting(Commands.verbs).sorted()
        paths += added.map { verb in
            operation(
                Manual.Page(
                    verb, "--contract ID [--record N] [--wait SECONDS] [--ARG V …]",
                    "a word of the templates here; to propose, with what they call their roles and parameters",
                    ""), .signs, required: false)
        }
        paths.append(
            .init(
                "/api/v1/events",
                [
                    "get": [
                        "operationId": "events", "tags": ["events"],
                        "summary": "what changed, as server-sent events",
                        "parameters": [
                            [
                                "name": "Last-Event-ID", "in": "header", "required": false,
                                "schema": ["type": "string"],
                            ],
                            [
                                "name": "after", "in": "query", "required": false,
                                "description": "as Last-Event-ID, for whoever cannot set a header",
                                "schema": ["type": "string"],
                            ],
                        ],
                        "responses": [
                            "200": [
                                "description": "events that say where to look",
                                "content": ["text/event-stream": ["schema": ["type": "string"]]],
                            ],
                            "default": ["$ref": "#/components/responses/Problem"],
                        ],
                    ]
                ]))
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Talea", "version": .string("\(version)"),
                "description":
                    "A node on its owner's machine. Every verb of the command line, options and answers alike.",
            ],
            "security": [["owner": []]],
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "owner": [
                        "type": "http", "scheme": "bearer",
                        "description": "the token in the home's api.json: does everything",
                    ],
                    "reader": [
                        "type": "http", "scheme": "bearer",
                        "description": "the token in the home's reader.json: looks, does nothing",
                    ],
                ],
                "responses": [
                    "Problem": [
                        "description": "what went wrong (RFC 9457)",
                        "content": [
                            "application/problem+json": [
                                "schema": ["$ref": "#/components/schemas/Problem"]
                            ]
                        ],
                    ]
                ],
                "schemas": ["Problem": problem],
            ],
        ]
    }

    private static let problem: JSON = [
        "type": "object", "required": ["type", "title", "status", "detail", "code", "message"],
        "properties": [
            "type": ["type": "string"], "title": ["type": "string"],
            "status": ["type": "integer"], "detail": ["type": "string"],
            "code": ["type": "string", "description": "for programs; never changes"],
            "field": ["type": "string"], "value": ["type": "string"],
            "message": [
                "type": "object", "required": ["en", "zh"],
                "properties": ["en": ["type": "string"], "zh": ["type": "string"]],
            ],
        ],
    ]

    private static func operation(
        _ page: Manual.Page, _ action: Manual.Action, required: Bool = true
    ) -> JSON.Field {
        let words = page.verb.split(separator: " ")
        var fields: [JSON.Field] = [
            .init("operationId", .string(words.joined(separator: "_"))),
            .init("tags", [.string(String(words.first ?? ""))]),
            .init("summary", .string(page.says.en)),
        ]
        let reads = action == .reads
        if reads { fields.append(.init("security", [["owner": []], ["reader": []]])) }
        fields.append(.init("parameters", reads ? query(page) : [key]))
        if !reads { fields.append(.init("requestBody", body(page, required: required))) }
        fields.append(
            .init(
                "responses",
                [
                    "200": [
                        "description": "what the command line prints with --json",
                        "content": ["application/json": ["schema": ["type": "object"]]],
                    ],
                    "default": ["$ref": "#/components/responses/Problem"],
                ]))
        return .init(
            "/api/v1/" + words.joined(separator: "/"),
            .object([.init(reads ? "get" : "post", .object(fields))]))
    }

    private static let key: JSON = [
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "the same key and body again get the same answer, and nothing is done again",
        "schema": [
            "type": "string", "minLength": 1, "maxLength": .number(API.keyBytesMax),
            "pattern": "^[!-~]+$",
        ],
    ]

    private static func query(_ page: Manual.Page) -> JSON {
        .array(
            page.usages.map { usage in
                [
                    "name": .string(name(usage)), "in": "query",
                    "required": .bool(usage.isRequired), "schema": schema(usage),
                ]
            })
    }

    private static func body(_ page: Manual.Page, required: Bool) -> JSON {
        let usages = page.usages
        var properties = usages.map { JSON.Field(name($0), schema($0)) }
        properties.append(
            .init(
                "dry_run",
                ["type": "boolean", "description": "say what it would move; sign nothing"]))
        properties.append(
            .init(
                "basis",
                [
                    "type": "string",
                    "description": "as a dry run told it: refused where what that told has changed",
                ]))
        var whole: [JSON.Field] = [
            .init("type", "object"), .init("properties", .object(properties)),
        ]
        let needed = usages.filter { $0.isRequired && required }.map { JSON.string(name($0)) }
        if !needed.isEmpty { whole.append(.init("required", .array(needed))) }
        whole.append(.init("additionalProperties", .bool(page.takesMore)))
        return [
            "required": true, "content": ["application/json": ["schema": .object(whole)]],
        ]
    }

    private static func name(_ usage: Usage) -> String {
        String(usage.name.map { $0 == "-" ? "_" : $0 })
    }

    private static func schema(_ usage: Usage) -> JSON {
        var one: JSON =
            switch usage.value {
            case "": ["type": "boolean"]
            case "N", "SECONDS":
                ["type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991]
            default: ["type": "string"]
            }
        if !usage.choices.isEmpty {
            one = ["type": "string", "enum": .array(usage.choices.map { .string($0) })]
        }
        return usage.repeats ? ["type": "array", "items": one] : one
    }
}
