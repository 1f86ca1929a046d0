import LLMGateway

/// A context and an answer as people read them.
enum ContextView {
    static func html(of context: JSONValue) -> String {
        var out = ""
        func facts(_ names: [(String, String)]) {
            let found = names.compactMap { name, label in
                context[name].map { "<dt>\(label)</dt><dd><bdi>\(Markup.visible(plain($0)))</bdi></dd>" }
            }
            if !found.isEmpty { out += "<dl>\(found.joined())</dl>" }
        }
        facts([
            ("current_query", "question"), ("calendar_day", "day"), ("local_date", "day"),
            ("morning_brief_local_time", "brief at"), ("time_zone", "zone"),
        ])
        for turn in context["session_memory"]?["recent_turns"]?.array ?? [] {
            out += "<p class=\"turn\"><bdi>\(text(turn["user_query_snippet"]))</bdi> → "
            out += "<bdi>\(text(turn["assistant_summary_snippet"]))</bdi></p>"
        }
        for name in ["meetings", "meetings_today"] {
            if let meetings = context[name]?.array { out += self.meetings(meetings) }
        }
        for name in ["candidates", "urgent_email_candidates"] {
            if let mail = context[name]?.array { out += self.mail(mail) }
        }
        return out.isEmpty ? "<p class=\"none\">nothing</p>" : out
    }

    private static func meetings(_ meetings: [JSONValue]) -> String {
        guard !meetings.isEmpty else { return "<p class=\"none\">no meetings</p>" }
        let rows = meetings.map { meeting in
            let start = meeting["start_local"]?.string ?? "all day"
            let end = meeting["end_local"]?.string.map { "-\($0)" } ?? ""
            return "<tr><td class=\"time\">\(Markup.visible(start + end))</td>"
                + "<td><bdi>\(text(meeting["title"]))</bdi></td></tr>"
        }
        return "<table class=\"list\">\(rows.joined())</table>"
    }

    private static func mail(_ mail: [JSONValue]) -> String {
        guard !mail.isEmpty else { return "<p class=\"none\">no mail</p>" }
        let rows = mail.map { message in
            "<tr><td><bdi>\(text(message["from"]))</bdi></td><td><b><bdi>\(text(message["subject"]))</bdi></b><br>"
                + "<bdi>\(text(message["snippet"]))</bdi></td></tr>"
        }
        return "<table class=\"list\">\(rows.joined())</table>"
    }

    /// An answer like a notification, with its lists below.
    static func answer(_ output: JSONValue) -> String {
        guard case .object(let fields) = output else { return "<p class=\"none\">nothing</p>" }
        let isSilent = output["should_notify"] == .bool(false)
        let title = output["title"] ?? output["headline"] ?? output["urgency"]
        var out = "<div class=\"phone\(isSilent ? " silent" : "")\"><b><bdi>\(text(title))</bdi></b>"
        out += "<p><bdi>\(text(output["summary"]))</bdi></p>"
        if let reason = output["reason"] { out += "<p class=\"reason\"><bdi>\(text(reason))</bdi></p>" }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            guard let items = value.array, !items.isEmpty else { continue }
            let lines = items.map { "<li><bdi>\(text($0))</bdi></li>" }.joined()
            out += "<h4>\(Markup.escaped(name.replacing("_", with: " ")))</h4><ul>\(lines)</ul>"
        }
        return out + (isSilent ? "<p class=\"none\">no notification</p>" : "") + "</div>"
    }

    private static func text(_ value: JSONValue?) -> String { Markup.visible(value.map(plain) ?? "") }

    private static func plain(_ value: JSONValue) -> String { value.string ?? value.text }
}

extension EvaluationReport {
    static let style = """
        :root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--text:#1d1d1f;--soft:#6b6b70;--line:#e3e3e0;\
        --good:#17703a;--bad:#b3261e;--goodbg:#e7f5ec;--badbg:#fdecea;--accent:#2f5bd7}
        @media(prefers-color-scheme:dark){:root{--ground:#161618;--card:#202024;--text:#ececee;--soft:#a0a0a8;\
        --line:#35353b;--good:#6fd394;--bad:#ff8a80;--goodbg:#183524;--badbg:#3d1d1b;--accent:#8fb0ff}}
        *{box-sizing:border-box}body{font:15px/1.45 system-ui,sans-serif;background:var(--ground);color:var(--text);\
        margin:0 auto;max-width:76rem;padding:1.5rem}
        h1{margin:0;font-size:1.6rem}h3{font-size:.8rem;text-transform:uppercase;letter-spacing:.06em;\
        color:var(--soft);margin:1.1rem 0 .4rem}h4{font-size:.75rem;color:var(--soft);margin:.6rem 0 .1rem}
        header p{color:var(--soft);margin:.2rem 0 1rem}.tiles{display:flex;flex-wrap:wrap;gap:.6rem}
        .tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.6rem 1rem}
        .tile b{display:block;font-size:1.3rem}.tile span{color:var(--soft);font-size:.8rem}
        .tile.good b{color:var(--good)}.tile.bad b{color:var(--bad)}
        nav{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.2rem 0;position:sticky;top:0;background:var(--ground);\
        padding:.5rem 0;z-index:1}
        fieldset{border:0;padding:0;margin:0;display:flex}nav input{position:absolute;opacity:0}
        nav label{border:1px solid var(--line);padding:.25rem .7rem;cursor:pointer;background:var(--card);\
        font-size:.85rem}nav label:first-of-type{border-radius:8px 0 0 8px}nav label:last-of-type{border-radius:0 8px 8px 0}
        nav input:checked+label{background:var(--accent);color:var(--card)}
        nav input:focus-visible+label{outline:2px solid var(--accent)}
        .case{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--good);border-radius:8px;\
        margin:.5rem 0;padding:.5rem 1rem}.case.fail{border-left-color:var(--bad)}
        .case>summary{cursor:pointer;display:flex;gap:.6rem;align-items:baseline;flex-wrap:wrap}
        .case[open]>summary{border-bottom:1px solid var(--line);padding-bottom:.5rem}
        .mark{font-size:.7rem;font-weight:700;text-transform:uppercase;color:var(--good)}.fail .mark{color:var(--bad)}
        .about{color:var(--soft);flex:1}.tag{font-size:.72rem;border:1px solid var(--line);border-radius:99px;\
        padding:.05rem .5rem;color:var(--soft)}
        .columns{display:grid;grid-template-columns:3fr 2fr;gap:1.5rem}@media(max-width:50rem){.columns{\
        grid-template-columns:1fr}}
        section{min-width:0}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.3rem 0}
        dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}
        td{padding:.25rem .5rem .25rem 0;vertical-align:top;border-top:1px solid var(--line);overflow-wrap:anywhere}
        .time{white-space:nowrap;font-variant-numeric:tabular-nums;width:7rem}.ok{color:var(--good);width:1.4rem}
        .no{color:var(--bad);width:1.4rem}.none,.reason,.turn{color:var(--soft)}
        .phone{border:1px solid var(--line);border-radius:14px;padding:.7rem 1rem;background:var(--ground);\
        overflow-wrap:anywhere}.phone p{margin:.2rem 0}.phone.silent{opacity:.75;border-style:dashed}
        ul{margin:.1rem 0;padding-left:1.1rem}pre{background:var(--ground);border:1px solid var(--line);\
        border-radius:8px;padding:.7rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.8rem}
        .raw>summary{cursor:pointer;color:var(--soft);font-size:.85rem;margin:.4rem 0}
        .gone{color:var(--bad);background:var(--badbg)}.new{color:var(--good);background:var(--goodbg)}
        .u{font-style:normal;font-size:.75em;background:var(--badbg);color:var(--bad);border-radius:3px;padding:0 .2em}
        .note{color:var(--bad)}
        body:has(#only-fail:checked) .pass,body:has(#only-pass:checked) .fail,\
        body:has(#only-meetings_summary:checked) .case:not(.meetings_summary),\
        body:has(#only-morning_brief:checked) .case:not(.morning_brief),\
        body:has(#only-urgent_email_summary:checked) .case:not(.urgent_email_summary),\
        body:has(#only-model_output:checked) .case:not(.model_output),\
        body:has(#only-deterministic_fallback:checked) .case:not(.deterministic_fallback){display:none}
        @media print{nav{display:none}}
        """
}
