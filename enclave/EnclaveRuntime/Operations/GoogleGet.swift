internal import AttestedSession
internal import EnclaveProtocol

extension Operations {
    /// `google.get`: reads one allow-listed resource with a token that never leaves, and returns status and bytes.
    func get(_ request: GoogleGet, _ context: CallContext) throws(EnclaveFailure) -> OperationResult {
        let resource = request.resource
        if !context.isResumed {
            guard googleLimiter.take(of: request.reference.user) else {
                counters.userLimited("google.get")
                throw EnclaveFailure(.overloaded)
            }
        }
        guard let target = resource.target() else { throw EnclaveFailure(.parameterRefused) }
        do throws(EnclaveFailure) {
            guard let reply = try read(resource, target, request.reference, context) else { return .parked }
            guard !(300...399).contains(reply.status), (200...599).contains(reply.status) else {
                throw EnclaveFailure(.providerFailed, providerStatus: UInt16(clamping: reply.status))
            }
            counters.googleCall(resource.name, "\(reply.status / 100)xx")
            return .answer(
                GoogleGetAnswer(
                    status: UInt16(reply.status), body: reply.body, retryAfterSeconds: reply.retryAfterSeconds))
        } catch {
            counters.googleCall(resource.name, error.code.name)
            throw error
        }
    }

    /// Reads with a usable token; a 401 costs that token and is repeated once with a fresh one.
    private func read(
        _ resource: GoogleResource, _ target: String, _ reference: ConnectorReference, _ context: CallContext
    ) throws(EnclaveFailure) -> PublicReply? {
        var repeated = false
        while true {
            guard let token = try accessToken(reference, context) else { return nil }
            let milliseconds = min(context.deadline.remainingMilliseconds, google.requestTimeoutMilliseconds)
            guard milliseconds > 0 else { throw EnclaveFailure(.timedOut) }
            let reply: PublicReply
            do throws(ProviderFault) {
                reply = try provider.get(
                    resource.isCalendar ? google.calendarURL : google.gmailURL, target: target,
                    bearer: token.bytes, milliseconds: milliseconds)
            } catch {
                throw error.failure
            }
            guard reply.status == 401, !repeated else { return reply }
            cache.drop(reference, serial: token.serial)
            repeated = true
        }
    }
}

extension GoogleResource {
    fileprivate var isCalendar: Bool {
        if case .calendarEvents = self { true } else { false }
    }
}
