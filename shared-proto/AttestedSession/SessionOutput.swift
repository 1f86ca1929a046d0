internal import Synchronization

extension Session {
    private enum Step {
        case done
        case send(Int32, SealingBuffer)
        case failed
    }

    /// Sends what there is, as far as the socket takes it; returns at once when another thread is sending.
    func flush() {
        var isOwner = false
        var sentBytes = 0
        while true {
            let step = state.withLock { nextStep(&$0, &isOwner, sentBytes) }
            guard case .send(let socket, let output) = step else {
                if case .failed = step { close(.recordRefused) }
                return
            }
            switch unsafe Descriptor.send(socket, output.unsent) {
            case .bytes(let count): sentBytes = count
            case .wouldBlock:
                return stopSending { state in
                    state.isBlocked = true
                    if state.blockedSince == .distantFuture { state.blockedSince = .now }
                }
            case .ended:
                return stopSending { state in
                    if state.ending == nil { state.ending = .connectionFailed }
                }
            }
        }
    }

    /// Called by the I/O thread when the socket takes bytes again.
    func unblock() {
        state.withLock { $0.isBlocked = false }
        flush()
    }

    private func nextStep(_ state: inout State, _ isOwner: inout Bool, _ sentBytes: Int) -> Step {
        if !isOwner {
            guard !state.isSending, !state.isBlocked, let output = state.output else { return .done }
            guard !output.isEmpty || state.multiplexer.hasRecords else { return .done }
            state.isSending = true
            isOwner = true
        }
        guard let output = state.output else {
            state.isSending = false
            Session.closeDescriptors(&state)
            return .done
        }
        if sentBytes > 0 {
            output.consume(sentBytes)
            state.blockedSince = .distantFuture
        }
        if !output.hasRoom { output.compact() }
        while output.hasRoom, let record = state.multiplexer.nextRecord() {
            do throws(NoiseError) {
                try output.append(record)
            } catch {
                state.isSending = false
                return .failed
            }
        }
        guard !output.isEmpty else {
            state.isSending = false
            return .done
        }
        return .send(state.socket, output)
    }

    private func stopSending(_ change: (inout State) -> Void) {
        let onIOThread = isOnIOThread
        state.withLock { state in
            state.isSending = false
            if state.output == nil { return Session.closeDescriptors(&state) }
            change(&state)
            if !onIOThread { Session.wake(&state) }
        }
    }
}
