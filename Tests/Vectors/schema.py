"""The messages of docs/PROTOCOL.md as a table."""

# Message → field → "name type", ! required, * repeated. n number, s zigzag, b bytes, t text, i id.
SPEC = {k: {int(f): v.split() for f, v in (p.split(":") for p in s.split(","))} for k, s in {
    "Header": "1:version n!,2:kind n!,3:author i!,4:key i,5:topic i,6:time n!,7:body_hash i!,"
              "8:body_size n!,9:log i,10:sequence n,11:previous i,12:expires n,13:about i,"
              "14:basis i,15:versions RecordVersion*",
    "RecordVersion": "1:record n!,2:version n!",
    "Entry": "1:header b!,2:signature b!,3:body b",
    "Vouched": "1:entry Entry!,2:chain Entry*", "ForkProof": "1:one Vouched!,2:two Vouched!",
    "Key": "1:public_key i!,2:next_key_hash i!,3:reason t",
    "Continue": "1:from i!,2:reason t",
    "Cut": "1:log i!,2:sequence n,3:id i,4:grants Carried*,5:total n,6:remaining s",
    "Carried": "1:grant i!,2:units n!,3:until n!,4:release_key i!,5:tag i!",
    "Declare": "1:total n,2:remaining n",
    "Grant": "1:units n!,2:until n!,3:release_key i!,4:tag i!,5:remaining s,6:title i",
    "Value": "1:integer s,2:money Money,3:quantity Quantity,4:instant n,5:hash i,6:text t,"
             "7:identity i,8:list List,9:zero n",
    "List": "1:items Value*", "Money": "1:minor s,2:currency t!",
    "Quantity": "1:units n,2:unit t!", "Argument": "1:name t!,2:value Value!",
    "Act": "1:transition t!,2:record n,3:arguments Argument*,4:holder_signature b,5:child i",
    "Request": "1:salt i!,2:act Act!",
    "Change": "1:record n!,2:state t!,3:fields Argument*",
    "Step": "1:act Act,2:request Entry,3:consents Entry*,4:lines Entry*,5:receipts Entry*,"
            "6:keys Entry*,7:records Change*,8:digest i!,9:epoch n,10:proposal Entry",
    "Founding": "1:name t!,2:stewards i*,3:admission t!,4:limits Argument*,5:nonce i!",
    "Admit": "1:member i!,2:invitation i",
    "Expel": "1:member i!,2:log i!,3:sequence n,4:reason t",
    "Invited": "1:nonce i!,2:expires n!",
    "Ticket": "1:inviter i!,2:terms Invited!,3:secret i!",
    "Invitation": "1:founding b!,2:ticket Ticket,3:address t",
    "Joining": "1:salt i!,2:keys Entry*,3:invitation Invited!,4:proof b!",
    "Settlement": "1:request Entry!,2:consents Entry*",
    "Acceptance": "1:salt i!,2:statement i!,3:release_key i,4:witness_terms_hash i",
    "Receipt": "1:subject i!,2:log i,3:sequence n,4:highest n,5:highest_step i",
    "Closed": "1:record n!,2:version n!,3:deadline n!,4:requests i*",
    "ClosingRequest": "1:salt i!,2:record n!,3:version n!,4:deadline n!",
    "Claim": "1:epoch n!,2:request i!",
    "Ruling": "1:epoch n!,2:sequence n!,3:step i!,4:receipts Entry*",
    "WitnessTerms": "1:contract i!,2:sequencer i!,3:witnesses Witnesses!,4:participants i*,"
                    "5:arbiter i!,6:response n!",
    "Proof": "1:contract i!,2:entry Entry!,3:opening Opening,4:sequencer i,5:request_key i,6:keys Entry*",
    "Opening": "1:nonce b!,2:body_key i!,3:plain b!",
    "Terms": "1:resource t!,2:start n!,3:end n!,4:offset s,5:unit t!",
    "Holders": "1:role t!,2:identities i*", "Witnesses": "1:identities i*,2:threshold n!",
    "Parent": "1:contract i!,2:grant i!,3:units n!",
    "Proposal": "1:salt i!,2:contract i!,3:template i!,4:currency t!,5:arguments Argument*,"
                "6:roles Holders*,7:sequencer i!,8:witnesses Witnesses,9:lines Terms*,"
                "10:accept_by n!,11:grant_by n!,12:release_key i,13:witness_terms_hash i,"
                "14:parent Parent",
}.items()}
BODIES = {1: "Key", 2: "Continue", 3: "Cut", 10: "Declare", 12: "Grant", 21: "Receipt",
          22: "Closed", 23: "Claim", 24: "Ruling", 30: "Founding", 31: "Admit", 32: "Expel", 40: "Proposal", 41: "Acceptance",
          47: "ClosingRequest", 48: "Joining"}
