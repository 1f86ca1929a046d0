import AttestationVerifier
import SimulatedNitro
import Testing

@Suite struct NitroDocumentTests {
    @Test(arguments: [true, false]) func readsEveryFieldInBothForms(_ isIndefinite: Bool) throws {
        let document = try NitroDocument(
            parsing: NitroStage.document(nonce: [1, 2], userData: []) { $0.isIndefinite = isIndefinite })
        #expect(document.moduleID == NitroStage.moduleID)
        #expect(document.timestamp == NitroStage.now)
        #expect(document.registers.count == 16)
        #expect(document.registers[0] == NitroStage.registers[0])
        #expect(document.bundle.count == 4)
        #expect(document.nonce == [1, 2])
        #expect(document.userData == [])
        #expect(document.publicKey == nil)
        #expect(document.measurement == NitroStage.measurement)
    }

    @Test func takesNullAndAbsentForTheSame() throws {
        let document = NitroStage.document { draft in
            draft.alterFields = { $0.removeAll { $0.value == .null } }
        }
        #expect(try NitroStage.fault(document) == nil)
    }

    @Test func acceptsTagEighteenAndNoOther() throws {
        for (tag, fault) in [(18, nil), (17, .notCOSESign1), (98, .notCOSESign1)] as [(UInt64, NitroFault?)] {
            let document = NitroStage.document { $0.alterEnvelope = { .tag(tag, $0) } }
            #expect(try NitroStage.fault(document) == fault, "tag \(tag)")
        }
        let twice = NitroStage.document { $0.alterEnvelope = { .tag(18, .tag(18, $0)) } }
        #expect(try NitroStage.fault(twice) == .notCOSESign1)
    }

    @Test func acceptsIndefiniteLengthsAndLongHeadsEverywhere() throws {
        let document = NitroStage.document { draft in
            draft.alterFields = { fields in
                for index in fields.indices {
                    switch fields[index].value {
                    case .array(let items, _): fields[index].value = .array(items, isIndefinite: true)
                    case .map(let pairs, _): fields[index].value = .map(pairs, isIndefinite: true)
                    case .text(let text):
                        let chunk = CBORItem.text(text).encoded()
                        fields[index].value = .raw([0x7F] + chunk + [0xFF])
                    case .bytes(let bytes):
                        fields[index].value = .raw(CBORItem.head(2, UInt64(bytes.count), isLong: true) + bytes)
                    default: break
                    }
                }
            }
        }
        #expect(try NitroStage.fault(document) == nil)
    }

    @Test(arguments: RefusedDocument.all) func refuses(_ refused: RefusedDocument) throws {
        #expect(try NitroStage.fault(NitroStage.document(NitroStage.pki, refused.change)) == refused.fault)
    }

    @Test func acceptsWhatGenuineDocumentsHold() throws {
        let changes: [(inout DocumentDraft) -> Void] = [
            { $0.userData = [UInt8](repeating: 7, count: 746) },
            { $0.userData = [UInt8](repeating: 7, count: 1024) },
            { $0.publicKey = [] },
            { $0.registers.append((16, [UInt8](repeating: 3, count: 48))) },
            { draft in draft.registers.removeAll { $0.index > 4 && $0.index != 8 } },
            { draft in draft.alterFields = { $0.reverse() } },
            { draft in draft.alterSignature = { CurveKey.flipped($0) } },
        ]
        for change in changes { #expect(try NitroStage.fault(NitroStage.document(NitroStage.pki, change)) == nil) }
    }

    @Test func refusesWhatIsTooLargeBeforeReadingIt() throws {
        let bytes = [UInt8](repeating: 0x84, count: NitroDocument.maximumBytes + 1)
        #expect(try NitroStage.fault(bytes) == .tooLarge)
    }

    @Test func refusesEveryTruncation() async {
        let document = NitroStage.document()
        for count in 0..<document.count {
            if count % 64 == 0 { await Task.yield() }
            #expect(throws: NitroRefusal.self) { try NitroDocument(parsing: Array(document.prefix(count))) }
        }
    }

    @Test func saysWhereAndWhat() {
        let document = NitroStage.document { $0.registers[5].value = [1] }
        let refusal = #expect(throws: NitroRefusal.self) { try NitroDocument(parsing: document) }
        #expect(refusal?.place == "pcrs[5]")
        #expect(refusal?.expected == "48 bytes")
        #expect(refusal?.found == "1 bytes")
    }

    @Test func knowsDebugModeByAnyOfTheThreeRegisters() throws {
        for index in 0...2 {
            let document = NitroStage.document { $0.registers[index].value = Registers.zero }
            #expect(try NitroDocument(parsing: document).debugRegister == index)
        }
        let missing = NitroStage.document { $0.registers.removeAll { $0.index == 1 } }
        #expect(try NitroDocument(parsing: missing).debugRegister == 1)
        #expect(try NitroDocument(parsing: NitroStage.document()).debugRegister == nil)
    }
}
