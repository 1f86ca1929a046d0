import CContract
import Crypto
import FoundationEssentials
import HTTPTypes

/// GET `/openapi.yaml` and `/docs`: the contract of this API, built in.
///
/// The page is made from the contract by `scripts/api-docs`, so nothing here reads YAML. It loads nothing, and its policy
/// says so: only its own style and script run, by their digests.
struct ContractPages: Sendable {
    private let contract = String(cString: alfred_openapi_yaml())
    private let page = String(cString: alfred_docs_html())
    private let policy: String

    init() {
        policy =
            "default-src 'none'; style-src \(Self.digest(of: "style", in: page)); "
            + "script-src \(Self.digest(of: "script", in: page)); "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }

    func yaml(_ call: APICall) -> APIAnswer { .text(contract, contentType: "application/yaml") }

    func html(_ call: APICall) -> APIAnswer {
        APIAnswer(
            status: .ok, headers: [.contentSecurityPolicy: policy, .referrerPolicy: "no-referrer"],
            contentType: "text/html; charset=utf-8", body: Array(page.utf8))
    }

    /// The source expression (CSP level 3 §2.3.1) for the one element of this name; `'none'` when there is none.
    static func digest(of element: String, in page: String) -> String {
        guard let start = page.firstRange(of: "<\(element)>"),
            let end = page[start.upperBound...].firstRange(of: "</\(element)>")
        else { return "'none'" }
        let content = Array(page[start.upperBound..<end.lowerBound].utf8)
        return "'sha256-\(Data(SHA256.hash(data: content)).base64EncodedString())'"
    }
}
