/// What a host key may do; each key in the enclave's allow-list has exactly one role.
public enum Role: String, CaseIterable, Sendable {
    case api, worker
    case operation = "operator"
}
