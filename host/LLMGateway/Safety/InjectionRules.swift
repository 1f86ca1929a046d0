/// Published kinds of injection: words that give orders to a model, ask it for secrets, change its role or its tools.
///
/// Words of other languages are without accents. Outside English an order needs three words, because `ignorieren` or
/// `instructions` stands in ordinary mail.
enum InjectionRules {
    typealias Phrase = [Substring]

    /// What separates the turns of a conversation in the raw text of common models; no person writes it.
    private static let marks = [
        "<|im_start|>", "<|im_end|>", "<|system|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "[inst]",
        "[/inst]", "<<sys>>", "### system:", "### instruction:",
    ]

    static func holdsMark(_ text: String) -> Bool {
        guard text.utf8.contains(where: { "<[#".utf8.contains($0) }) else { return false }
        return marks.contains(where: text.contains)
    }

    static func match(_ words: Words) -> Bool {
        if words.holdsAny(of: heads) {
            if rules.contains(where: { rule in rule.allSatisfy { $0.contains(where: words.contain) } }) { return true }
            if words.beginsSentence(["act", "as"]) { return true }
        }
        guard !words.spelled.isEmpty else { return false }
        return rules.contains { rule in
            rule.allSatisfy { $0.contains { phrase in words.spelled.contains(phrase.joined()) } }
        }
    }

    /// Each rule: one phrase of every group.
    private static let rules: [[[Phrase]]] = english + german + french + spanish

    /// First words of each rule's first group: without one of them nothing can match.
    private static let heads = Set(rules.compactMap(\.first).joined().compactMap(\.first)).union(["act"])

    private static let english: [[[Phrase]]] = [
        [
            phrases("ignore", "disregard", "override"),
            phrases("instruction", "instructions", "system prompt", "developer message"),
        ],
        [
            phrases("forget"), phrases("previous", "prior", "earlier", "above", "all"),
            phrases("instructions", "prompt", "prompts"),
        ],
        [phrases("you are now", "you are chatgpt", "do anything now")],
        [phrases("if you are an ai", "if you are a language model", "if you are an llm", "note to the ai")],
        [phrases("api key", "password", "secret", "token"), phrases("reveal", "exfiltrate", "send me", "dump")],
        [phrases("system prompt"), phrases("reveal", "repeat", "print", "output", "leak")],
        [phrases("function call", "tool call", "print the prompt", "return raw json")],
    ]

    private static let german: [[[Phrase]]] = [
        [
            phrases("ignoriere", "ignoriert", "ignorieren", "missachte", "vergiss", "vergessen"),
            phrases("vorherigen", "bisherigen", "obigen", "vorigen", "fruheren", "vorangegangenen", "alle"),
            phrases("anweisung", "anweisungen", "instruktionen", "vorgaben", "systemprompt"),
        ],
        [
            phrases("du bist jetzt", "du bist nun", "du bist ab jetzt", "du bist ab sofort"),
            phrases("ki", "assistent", "chatbot", "sprachmodell", "chatgpt", "dan", "administrator"),
        ],
        [
            phrases("passwort", "kennwort", "api schlussel", "zugangsdaten", "geheimnis"),
            phrases("verrate", "offenbare", "nenne mir", "schick mir", "schicke mir", "sende mir", "gib mir"),
        ],
        [phrases("funktionsaufruf", "werkzeugaufruf", "gib den prompt aus", "zeige den prompt")],
    ]

    private static let french: [[[Phrase]]] = [
        [
            phrases("ignore", "ignorez", "ignorer", "oublie", "oubliez"),
            phrases("precedentes", "precedente", "anterieures", "ci dessus", "toutes"),
            phrases("instruction", "instructions", "consigne", "consignes", "directives"),
        ],
        [
            phrases("tu es maintenant", "tu es desormais", "vous etes maintenant", "vous etes desormais"),
            phrases("ia", "assistant", "modele", "chatgpt", "dan", "administrateur"),
        ],
        [
            phrases("mot de passe", "cle api", "identifiants"),
            phrases("revele", "revelez", "divulgue", "divulguez", "envoie moi", "envoyez moi", "donne moi"),
        ],
        [phrases("appel de fonction", "affiche le prompt", "affichez le prompt")],
    ]

    private static let spanish: [[[Phrase]]] = [
        [
            phrases("ignora", "ignore", "ignorar", "olvida", "olvide"),
            phrases("anteriores", "previas", "todas"), phrases("instrucciones", "indicaciones", "ordenes"),
        ],
        [
            phrases("ahora eres", "a partir de ahora eres"),
            phrases("ia", "asistente", "modelo", "chatgpt", "dan", "administrador"),
        ],
        [
            phrases("contrasena", "clave api", "credenciales"),
            phrases("revela", "revele", "enviame", "envieme", "dame", "muestrame"),
        ],
        [phrases("llamada a funcion", "muestra el prompt", "imprime el prompt")],
    ]

    private static func phrases(_ texts: String...) -> [Phrase] { texts.map { $0.split(separator: " ") } }
}
