import Crypto
import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostStorage

/// POST `/v1/connectors/google/start`: a consent URL, made with a PKCE verifier that only the enclave can open.
struct StartGoogleConnect: Sendable {
    let states: OAuthStateRepository
    let enclave: any EnclavePort
    /// Registered with Google; sent to it whichever of the allowed ones the app names.
    let redirectURI: String
    let stateLifetime: Duration

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let asked = try call.body.text("redirect_uri").trimmedOfWhiteSpace
        guard asked == redirectURI || asked == OAuthBridge.target else { throw APIError(.invalidRedirectURI) }
        let id = OAuthStateID(UUID())
        let state = Self.newState()
        let begun: GoogleConnectBeginAnswer
        do throws(EnclaveCallError) {
            begun = try await enclave.beginGoogleConnect(
                GoogleConnectBegin(user: user, stateID: id, redirectURI: redirectURI, state: state),
                context: call.enclaveContext)
        } catch {
            call.note(error, during: "google.connect.begin")
            throw APIError(error, during: .connect)
        }
        let row = NewOAuthState(
            id: id.uuid, user: user.uuid, stateSHA256: Self.digest(of: state), redirectURI: redirectURI,
            sealedVerifier: begun.sealedVerifier, sealedKeyVersion: Int(begun.keyVersion), lifetime: stateLifetime)
        try await stored(call) { () throws(StorageError) in try await states.insert(row) }
        return .json(.object(["auth_url": .string(begun.authorizationURL), "state": .string(state)]))
    }

    static func digest(of state: String) -> [UInt8] { Array(SHA256.hash(data: Array(state.utf8))) }

    /// 244 random bits.
    private static func newState() -> String {
        "st_" + (0..<2).map { _ in UUID().lowercased.filter { $0 != "-" } }.joined(separator: "_")
    }
}
