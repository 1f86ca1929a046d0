import HostRuntime

extension HostLog {
    /// Storage answered something that only a defect explains; `code` is a SQLSTATE or a constraint's name.
    func storageDefect(_ code: String) {
        event("storage_defect", .error, [LogField(.code, code)])
    }
}
