import LLMGateway
import Testing

@Test func `an error says its scope and wait, and whether it was our own decision`() {
    #expect(LLMError.rateLimited(.user, retryAfterSeconds: 7).detail == "scope=user retry_after_seconds=7")
    #expect(LLMError.budgetExhausted.isDenial)
    #expect(!LLMError.provider(status: 503, code: "unknown").isDenial)
}
