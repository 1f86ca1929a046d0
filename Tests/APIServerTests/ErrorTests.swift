import EnclaveClient
import EnclaveProtocol
import HTTPTypes
import Testing

@testable import APIServer

@Suite struct ErrorTests {
    @Test func everyCodeAnswersAnErrorStatusAndASentence() {
        for code in APIErrorCode.allCases {
            #expect((400...599).contains(code.status))
            #expect(code.row.message.hasSuffix("."))
            #expect(code.code.allSatisfy { $0.isLowercase || $0 == "_" }, "\(code.code)")
        }
        let pairs = APIErrorCode.allCases.map { "\($0.code) \($0.status)" }
        #expect(Set(pairs).count == pairs.count)
    }

    @Test func envelopeIsThePlainFormUnlessProblemIsAskedFor() {
        let error = APIError(.invalidRequestBody, field: "device_id")
        let plain = ErrorEnvelope.render(error, accept: "*/*", requestID: "r-1")
        #expect(plain.contentType == "application/json")
        #expect(
            String(decoding: plain.body, as: UTF8.self)
                == #"{"error":{"code":"invalid_request_body","message":"A field is missing or has the wrong type: device_id."}}"#
        )
        let problem = ErrorEnvelope.render(
            error, accept: "text/html, Application/Problem+JSON;q=0.5", requestID: "r-1")
        #expect(problem.contentType == "application/problem+json")
        #expect(
            String(decoding: problem.body, as: UTF8.self).contains(
                #""type":"urn:alfred:error:invalid_request_body""#))
        #expect(String(decoding: problem.body, as: UTF8.self).contains(#""request_id":"r-1""#))
    }

    @Test func waitsChallengesAndMethodsAreHeaders() {
        #expect(APIError(.draining).headers[.retryAfter] == "1")
        #expect(APIError(.rateLimited, retryAfterSeconds: 7).headers[.retryAfter] == "7")
        #expect(APIError(.unauthorized).headers[.wwwAuthenticate] == "Bearer")
        #expect(APIError(allowing: [.delete, .get]).headers[.allow] == "DELETE, GET")
        #expect(APIError(.notFound).headers.isEmpty)
    }

    @Test(arguments: [EnclaveOperation.connect, .revoke, .data])
    func everyFailureOfTheEnclaveHasARowInTheTable(_ operation: EnclaveOperation) {
        let providers: [EnclaveErrorCode] = [.providerUnavailable, .providerFailed, .providerResponseInvalid]
        for code in EnclaveErrorCode.allCases where operation != .data || !providers.contains(code) {
            let failure = EnclaveErrorMapping.rest(.failed(EnclaveFailure(code)), during: operation)
            #expect(APIErrorCode(code: failure.code, status: failure.status) != nil, "\(code.name)")
        }
        for error in [EnclaveCallError.unreachable, .timedOut, .notConfigured, .answerInvalid] {
            let failure = EnclaveErrorMapping.rest(error, during: operation)
            #expect(APIErrorCode(code: failure.code, status: failure.status) != nil, "\(error.name)")
        }
        #expect(APIError(.unreachable, during: operation).retryAfterSeconds == 5)
    }

    @Test func onlyAFinalAnswerConsumesTheState() {
        func consumes(_ code: EnclaveErrorCode, _ status: UInt16? = nil) -> Bool {
            CompleteGoogleConnect.consumesState(.failed(EnclaveFailure(code, providerStatus: status)))
        }
        #expect(consumes(.codeRejected))
        #expect(consumes(.scopesInsufficient))
        #expect(consumes(.providerFailed, 400))
        for status: UInt16 in [408, 429, 500, 503] { #expect(!consumes(.providerFailed, status)) }
        #expect(!consumes(.providerUnavailable))
        #expect(!consumes(.recordConflict))
        #expect(!CompleteGoogleConnect.consumesState(.unreachable))
    }
}
