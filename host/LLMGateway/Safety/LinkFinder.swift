/// What a phone makes a link of, in lower-case text: names of hosts and addresses of other apps.
enum LinkFinder {
    private static let schemes = words(
        """
        http https ftp ftps sftp tel telprompt sms mms mailto facetime facetime-audio facetime-group imessage whatsapp tg
        viber skype sgnl callto sip sips xmpp bitcoin ethereum litecoin monero data javascript vbscript file shortcuts
        webcal geo magnet
        """)
    private static let schemeBeginnings = ["itms", "x-apple", "x-web", "x-safari", "x-callback"]
    /// Endings of hosts that are linked without a path too. Rare ones that are words (`review`, `today`) are left out:
    /// a missing space after a full stop looks like them.
    private static let endings = words(
        """
        com net org edu gov mil int info biz name pro mobi app dev xyz top site online shop store club link click cloud
        tech website icu vip bid loan cyou buzz monster sbs cfd bond lol page blog email chat pay bank
        \u{440}\u{444} \u{443}\u{43a}\u{440} \u{4e2d}\u{56fd} \u{4e2d}\u{570b} \u{516c}\u{53f8} \u{7f51}\u{7edc}
        """)
    /// Endings of countries.
    private static let countries = words(
        """
        ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd
        cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge
        gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh
        ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw
        mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb
        sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk
        us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
        """)
    /// What ends files and libraries, and no host.
    private static let files = words("js pdf doc docx xls xlsx ppt pptx txt csv png jpg html")
    private static let degrees = words("b.sc m.sc d.sc b.com m.com b.tech m.tech")

    private static func words(_ text: String) -> Set<Substring> {
        Set(text.split(whereSeparator: \.isWhitespace))
    }

    /// A known scheme at the beginning of a word, or one followed by a number or a query, and something after its colon:
    /// `mailto:x`, and not `data: three files` or `agenda:budget`.
    static func findsScheme(in text: String) -> Bool {
        text.indices.contains { colon in
            guard text[colon] == ":" else { return false }
            let rest = text[text.index(after: colon)...]
            guard let next = rest.first, !next.isWhitespace else { return false }
            let name = text[..<colon].suffix(32).reversed().prefix { isHostCharacter($0) || $0 == "+" }
            return isScheme(Substring(String(name.reversed())), before: rest)
        }
    }

    private static func isScheme(_ name: Substring, before rest: Substring) -> Bool {
        guard name.last?.isLetter == true || name.last?.isNumber == true else { return false }
        let called = rest.first == "+" && rest.dropFirst().prefix { $0.isNumber }.count > 4
        let asked = rest.first == "?" && rest.dropFirst().first?.isLetter == true && rest.prefix(256).contains("=")
        if called || asked { return name.contains(where: \.isLetter) }
        return name.indices.contains { start in
            guard start == name.startIndex || !name[name.index(before: start)].isLetter else { return false }
            let word = name[start...]
            return schemes.contains(word) || schemeBeginnings.contains { word.hasPrefix($0) }
        }
    }

    /// A host anywhere in a word: in a path, a query, brackets, before a port, after a user.
    static func findsHost(in text: String) -> Bool {
        var rest = text[...]
        while let start = rest.firstIndex(where: isHostCharacter) {
            let run = rest[start...].prefix(while: isHostCharacter)
            rest = rest[run.endIndex...]
            guard run.contains(".") else { continue }
            let port = rest.first == ":" ? rest.dropFirst().prefix { $0.isNumber } : ""
            let afterPort = port.isEmpty ? rest : rest[port.endIndex...]
            let isMail = text[..<start].last == "@" && text[..<start].dropLast().last.map(isHostCharacter) == true
            let isAddress = afterPort.first.map("/\\".contains) == true || isMail || text[..<start].hasSuffix("//")
            if isHost(run, isAddress: isAddress, hasPort: !port.isEmpty) { return true }
        }
        return false
    }

    private static func isHostCharacter(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "." || character == "-"
    }

    /// A host ends with a letter's label; with an address around it that may be any, alone it is one that is in use.
    private static func isHost(_ run: Substring, isAddress: Bool, hasPort: Bool) -> Bool {
        // No label is empty or begins or ends with a hyphen: `Wait...in`, `Mo.-Fr.`
        let edges = run.replacing("..", with: " ").replacing(".-", with: " ").replacing("-.", with: " ")
        return edges.split(separator: " ").contains { part in
            let labels = part.split(separator: ".").map { label in
                label.drop { $0 == "-" }
            }
            guard labels.count > 1, let last = labels.last else { return false }
            if last.hasPrefix("xn--") { return true }
            if labels.count == 4, labels.allSatisfy({ UInt8($0) != nil }) { return isAddress || hasPort }
            if isAddress, last.count > 1, last.allSatisfy(\.isLetter) { return !files.contains(last) }
            return isKnown(last, after: labels.dropLast())
                || labels.dropFirst().dropLast().contains(where: endings.contains)
        }
    }

    private static func isKnown(_ last: Substring, after labels: ArraySlice<Substring>) -> Bool {
        guard let label = labels.last, !degrees.contains("\(label).\(last)") else { return false }
        if last == "am" || last == "pm", label.allSatisfy(\.isNumber) { return false }
        if endings.contains(last) || countries.contains(last) { return true }
        // Text in another script may follow without a space.
        let latin = last.prefix { $0.isASCII && $0.isLetter }
        guard let next = last[latin.endIndex...].unicodeScalars.first, next.value >= 0x370 else { return false }
        return endings.contains(latin) || countries.contains(latin)
    }
}
