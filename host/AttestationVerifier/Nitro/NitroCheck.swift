/// The checks of a Nitro document in the order in which they are made.
public enum NitroCheck: Int, CaseIterable, Sendable {
    case document = 1
    case chain
    case signature
    case time
    case nonce
    case userData
    case publicKey
    case debugMode
    case measurement

    /// What it looks at, for people.
    public var title: String {
        switch self {
        case .document: "COSE_Sign1 and every field are well formed"
        case .chain: "certificates lead to the pinned root and are valid"
        case .signature: "signed by the certified key"
        case .time: "time is the certificate's, not ahead, not too long ago"
        case .nonce: "nonce is the one that was asked with"
        case .userData: "user_data is bound to the evidence"
        case .publicKey: "public_key is absent"
        case .debugMode: "not in debug mode: PCR0, PCR1, PCR2 are not zero"
        case .measurement: "registers are the expected ones"
        }
    }

    /// The check to which a fault belongs.
    init(_ fault: NitroFault) {
        switch fault {
        case .documentSignature: self = .signature
        case .timestamp: self = .time
        default: self = fault.concernsChain ? .chain : .document
        }
    }
}

/// What a document must hold besides being authentic; nil demands nothing.
struct NitroDemands: Sendable {
    var nonce: [UInt8]?
    var userData: [UInt8]?
    var demandsNoPublicKey = false
    var maximumAgeSeconds: UInt64?
}

/// When a document is judged.
public enum NitroTime: Equatable, Sendable {
    /// Unix seconds.
    case at(UInt64)
    /// At the document's own time: says nothing about the present.
    case itsOwn
}
