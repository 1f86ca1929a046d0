import Testing

@testable import APIServer

@Suite struct JSONReaderTests {
    @Test func readsEveryKindOfValue() throws {
        let text = #" {"a":[1,-2,0.5,1e2,true,false,null],"b":"\u00e9\ud83d\ude00\n\/","c":{}} "#
        let value = try JSONReader.read(Array(text.utf8))
        #expect(
            value
                == .object([
                    "a": .array([
                        .integer(1), .integer(-2), .decimal(0.5), .integer(100), .bool(true), .bool(false), .null,
                    ]), "b": .string("é😀\n/"), "c": .members([]),
                ]))
    }

    @Test(arguments: [
        "", "{", "{}x", "{\"a\":1,}", "[1,]", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "01", "1.", "+1", "-",
        "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "nul", "1e999", "'a'", "{a:1}",
    ])
    func refusesWhatIsNotStrictJSON(_ text: String) {
        #expect(throws: InvalidJSON.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: InvalidJSON.self) { try JSONReader.read([0x22, 0xC3, 0x28, 0x22]) }
    }

    @Test func refusesDepthBeyondSixteen() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONReader.read(nested(16))
        #expect(throws: InvalidJSON.self) { try JSONReader.read(nested(17)) }
    }

    @Test func whatIsWrittenCanBeRead() throws {
        let value = JSONValue.object(["text": .string("\"\\\u{7}é"), "number": .integer(-7), "none": .null])
        #expect(try JSONReader.read(value.encoded()) == value)
    }
}

@Suite struct RequestFieldsTests {
    @Test func tellsSyntaxFromShape() throws {
        #expect(throws: APIError.self) { try RequestFields(Array("{".utf8)) }
        let fields = try RequestFields(Array(#"{"a":null,"n":1.5,"m":2.0,"t":7,"x":"y"}"#.utf8))
        #expect(try fields.optionalText("a") == nil)
        #expect(try fields.text("x") == "y")
        #expect(try fields.integer("m") == 2)
        let shape = Set([
            code { try fields.text("a") }, code { try fields.text("t") }, code { try fields.integer("n") },
            code { _ = try RequestFields(Array("[]".utf8)) },
        ])
        #expect(shape == [.invalidRequestBody])
        #expect(code { _ = try RequestFields(Array("{]".utf8)) } == .invalidJSON)
    }

    private func code(_ body: () throws -> some Any) -> APIErrorCode? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? APIError)?.code
        }
    }
}
