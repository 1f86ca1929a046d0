/// A step of start-up that failed; the process ends with status 1.
struct StartUpFailure: Error, Sendable {
    enum Step: String, Sendable {
        case redis, database, schema, enclave, listeners, services
        case enclaveKey = "enclave_key"
    }

    let step: Step
    /// From a closed list; no text of a dependency.
    let reason: String
}
