"""Renders an OpenAPI document as one self-contained page: python3 render_docs.py openapi.yaml docs.html [--check]

The page loads nothing. It has one <style> and one <script>, whose digests its server puts into the page's policy, and no
style or handler in an attribute.
"""
import json, re, sys
from html import escape
from pathlib import Path

import yaml

METHODS = ("get", "put", "post", "delete")
SPACE = r"[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"
here = Path(__file__).parent


class Page:
    def __init__(self, contract):
        self.contract = contract
        self.parts = contract["components"]
        self.operations = [
            (method, path, {**operation, "parameters": shared.get("parameters", []) + operation.get("parameters", [])})
            for path, shared in contract["paths"].items()
            for method, operation in shared.items()
            if method in METHODS
        ]

    # Text

    def inline(self, text):
        text = escape(text, quote=False)
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
        return re.sub(r"(?<![\"(>=])(https://[\w./-]+[\w/])", r'<a href="\1" rel="noreferrer">\1</a>', text)

    def markdown(self, text):
        out, items = [], []
        for block in re.split(r"\n\s*\n", (text or "").strip()):
            if block.startswith("## "):
                title = block[3:].strip()
                out.append(f'<h3 id="{slug(title)}">{self.inline(title)}</h3>')
            elif block.startswith("- "):
                items = re.split(r"\n(?=- )", block)
                out.append("<ul>" + "".join(f"<li>{self.inline(' '.join(i[2:].split()))}</li>" for i in items) + "</ul>")
            elif block:
                out.append(f"<p>{self.inline(' '.join(block.split()))}</p>")
        return "".join(out)

    def json(self, value):
        text = escape(json.dumps(value, indent=2, ensure_ascii=False), quote=False)
        text = re.sub(r'^(\s*)("(?:[^"\\]|\\.)*")(:)', r'\1<span class="k">\2</span>\3', text, flags=re.M)
        text = re.sub(r'(: |^\s*)("(?:[^"\\]|\\.)*")(,?)$', r'\1<span class="s">\2</span>\3', text, flags=re.M)
        text = re.sub(r"(: |^\s*)(true|false|null|-?[0-9.]+)(,?)$", r'\1<span class="n">\2</span>\3', text, flags=re.M)
        return f"<pre><code>{text}</code></pre>"

    # Schemas

    def resolve(self, node):
        while "$ref" in node:
            found = self.contract
            for key in node["$ref"][2:].split("/"):
                found = found[key]
            node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
        return node

    def kind(self, schema):
        """The type in words; objects that have a name of their own are linked."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            target = self.resolve({"$ref": schema["$ref"]})
            if target.get("type") == "object" or name == "ErrorCode":
                return f'<a href="#schema-{name}">{name}</a>'
            return self.kind({key: value for key, value in target.items()})
        if "anyOf" in schema:
            kinds = list(dict.fromkeys(self.kind(option) for option in schema["anyOf"]))
            return " or ".join(kinds)
        kind = schema.get("type", "any")
        if isinstance(kind, list):
            return " or ".join(kind)
        if kind == "array":
            return f"array of {self.kind(schema.get('items', {}))}"
        if schema.get("format") in ("uuid", "date-time", "date", "uri"):
            return {"date-time": "time", "uri": "URI"}.get(schema["format"], schema["format"])
        return "base64" if schema.get("contentEncoding") else kind

    def rules(self, schema):
        flat = self.resolve(schema)
        rules = []
        if "const" in flat and flat.get("type") != "boolean":
            rules.append(f"always <code>{escape(str(flat['const']))}</code>")
        if "enum" in flat and len(flat["enum"]) <= 6:
            rules.append("one of " + " ".join(f"<code>{escape('null' if v is None else str(v))}</code>" for v in flat["enum"]))
        if "minimum" in flat and "maximum" in flat:
            rules.append(f"{flat['minimum']}–{flat['maximum']}")
        elif "minimum" in flat:
            rules.append(f"at least {flat['minimum']}")
        if "maxItems" in flat:
            rules.append(f"at most {flat['maxItems']}")
        if "x-length" in flat:
            low, high = flat["x-length"]["minimum"], flat["x-length"]["maximum"]
            rules.append(f"{low}–{high} characters" if low else f"at most {high} characters")
            if SPACE in flat.get("pattern", ""):
                rules.append("trimmed")
            rules.append(f"else <code>{flat['x-length']['code']}</code>")
        if "x-characters" in flat:
            rules.append(f"of <code>{escape(flat['x-characters'])}</code>")
        elif "pattern" in flat and "x-length" not in flat and flat.get("format") not in ("uuid", "date-time", "date") and not flat.get("contentEncoding"):
            rules.append(f"<code>{escape(flat['pattern'])}</code>")
        return "".join(f"<span>{rule}</span>" for rule in rules)

    def fields(self, schema, prefix="", answer=False):
        flat = self.resolve(schema)
        rows = []
        for name, field in flat.get("properties", {}).items():
            inner = self.resolve(field)
            needed = name in flat.get("required", [])
            mark = "" if answer else '<em class="req">required</em>' if needed else "<em>optional</em>"
            rows.append(
                f"<tr><td><code>{escape(prefix + name)}</code>{mark}</td><td>{self.kind(field)}</td>"
                f'<td>{self.inline(inner.get("description", ""))}<div class="rules">{self.rules(field)}</div></td></tr>')
            if inner.get("type") == "object" and "$ref" not in field and inner.get("properties"):
                rows += self.fields(inner, f"{prefix}{name}.", answer)
            if inner.get("type") == "array" and "properties" in self.resolve(inner.get("items", {})):
                rows += self.fields(inner["items"], f"{prefix}{name}[].", answer)
        return rows

    def table(self, schema, answer=False):
        rows = self.fields(schema, answer=answer)
        return f'<div class="scroll"><table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>' if rows else ""

    # Operations

    def limit_text(self, limit):
        window = {60: "minute", 3600: "hour"}.get(limit["window_seconds"], f"{limit['window_seconds']} s")
        return f"{limit['limit']} / {window} per {limit['subject']}"

    def curl(self, method, path, operation, secured):
        lines = [f"curl -X {method.upper()} https://api.example{path}" if method != "get" else f"curl https://api.example{path}"]
        if secured:
            lines.append('-H "Authorization: Bearer $TOKEN"')
        for body in operation.get("requestBody", {}).get("content", {}).values():
            for example in list(body.get("examples", {}).values())[:1]:
                lines += ['-H "Content-Type: application/json"', f"-d '{json.dumps(example['value'], ensure_ascii=False)}'"]
        return "<pre><code>" + escape(" \\\n  ".join(lines), quote=False) + "</code></pre>"

    def operation(self, method, path, operation):
        secured = operation.get("security", self.contract["security"]) != []
        limit = operation.get("x-rate-limit")
        parameters = [self.resolve(parameter) for parameter in operation["parameters"]]
        chips = [f'<span class="chip">{"bearer token" if secured else "open to all"}</span>']
        if limit:
            chips.append(f'<span class="chip">{self.limit_text(limit)} · <code>{limit["bucket"]}</code></span>')
        if any(p["name"] == "Idempotency-Key" for p in parameters):
            chips.append('<span class="chip">may be sent again</span>')
        path_html = re.sub(r"(\{[a-z_]+\})", r"<i>\1</i>", escape(path))
        out = [
            f'<article id="{operation["operationId"]}" class="op"><header><span class="m {method}">{method.upper()}</span>'
            f'<code class="path">{path_html}</code><a class="anchor" href="#{operation["operationId"]}" aria-label="Link">#</a></header>'
            f'<h3>{self.inline(operation["summary"])}</h3><p class="chips">{"".join(chips)}</p><div class="cols"><div>',
            self.markdown(operation.get("description")),
        ]
        rows = "".join(
            f'<tr><td><code>{p["name"]}</code>{"<em class=req>required</em>" if p.get("required") else "<em>optional</em>"}</td><td>{p["in"]}</td>'
            f'<td>{self.inline(p.get("description", ""))}<div class="rules">{self.rules(p["schema"])}</div></td></tr>'
            for p in parameters if p["name"] not in ("X-Request-Id", "traceparent"))
        if rows:
            out.append(f'<h4>Parameters</h4><div class="scroll"><table><tbody>{rows}</tbody></table></div>')
        body = operation.get("requestBody")
        if body:
            out.append(f'<h4>Body{"" if body.get("required") else " (optional)"}</h4>')
            out.append(self.table(body["content"]["application/json"]["schema"]) or "<p>No fields.</p>")
        state = operation.get("x-refused-by-state")
        out.append("<h4>Answers</h4>")
        for status, response in operation["responses"].items():
            response = self.resolve(response)
            codes = "".join(f'<code class="code">{code}</code>' for code in response.get("x-codes", []))
            head = f'<summary><b class="st s{status[0]}">{status}</b> {self.inline(response["description"])}</summary>'
            inner = [f"<p>{codes}</p>"] if codes else []
            if int(status) < 400:
                for content in response["content"].values():
                    inner.append(self.table(content["schema"], answer=True))
            names = [name for name in response["headers"] if name not in ("Cache-Control", "X-Content-Type-Options", "X-Request-Id")]
            if names:
                inner.append('<p class="small">Headers: ' + ", ".join(f"<code>{name}</code>" for name in names) + "</p>")
            out.append(f'<details{" open" if int(status) < 400 else ""}>{head}{"".join(inner)}</details>')
        if state:
            out.append('<p class="small">A valid request may still be refused, for what is stored or what time it is, with '
                       + ", ".join(f"<code>{code}</code>" for code in state) + ".</p>")
        out.append("</div><div class=\"examples\"><h4>Call</h4>" + self.curl(method, path, operation, secured))
        for content in (body or {}).get("content", {}).values():
            for example in list(content.get("examples", {}).values()):
                out.append(f'<h4>{self.inline(example["summary"])}</h4>' + self.json(example["value"]))
        for status, response in operation["responses"].items():
            for content in self.resolve(response).get("content", {}).values():
                if int(status) < 400 and "example" in content:
                    out.append(f'<h4>{status}</h4>' + self.json(content["example"]))
        out.append("</div></div></article>")
        return "".join(out)

    # The whole

    def errors(self):
        where = {}
        for _, _, operation in self.operations:
            for status, response in operation["responses"].items():
                for code in self.resolve(response).get("x-codes", []):
                    where.setdefault(code, {}).setdefault(status, []).append(operation["operationId"])
        where.setdefault("not_found", {}).setdefault("404", []).append("any other path")
        where["method_not_allowed"] = {"405": []}
        rows = []
        for code in self.parts["schemas"]["ErrorCode"]["enum"]:
            cells = []
            for status, names in sorted(where[code].items()):
                some = "everywhere" if len(names) in (0, len(self.operations)) else ", ".join(
                    f'<a href="#{n}">{n}</a>' if " " not in n else n for n in names) if len(names) <= 4 else f"{len(names)} operations"
                cells.append(f'<b class="st s{status[0]}">{status}</b> {some}')
            rows.append(f'<tr><td><code>{code}</code></td><td>{"<br>".join(cells)}</td></tr>')
        return f'<div class="scroll"><table><thead><tr><th>Code</th><th>Status and where</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'

    def limits(self):
        rows = "".join(f"<tr><td>{key.replace('_', ' ')}</td><td>{value:,}</td></tr>".replace(",", "\u202f") for key, value in self.contract["x-limits"].items())
        buckets = {}
        for method, path, operation in self.operations:
            limit = operation.get("x-rate-limit")
            if limit:
                buckets.setdefault(limit["bucket"], (limit, []))[1].append(operation["operationId"])
        rates = "".join(
            f'<tr><td><code>{bucket}</code></td><td>{self.limit_text(limit)}</td><td>{", ".join(f"<a href=#{n}>{n}</a>" for n in names)}</td></tr>'
            for bucket, (limit, names) in buckets.items())
        return (f'<div class="two"><div class="scroll"><table><thead><tr><th>Bound</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>'
                f'<div class="scroll"><table><thead><tr><th>Bucket</th><th>Limit</th><th>Operations</th></tr></thead><tbody>{rates}</tbody></table></div></div>')

    def html(self):
        info, nav, main = self.contract["info"], [], []
        for heading in re.findall(r"^## (.+)$", info["description"], re.M):
            nav.append(f'<a href="#{slug(heading)}">{heading}</a>')
        nav.append('<a href="#authentication">Authentication</a><a href="#limits">Limits</a>')
        for tag in self.contract["tags"]:
            mine = [o for o in self.operations if tag["name"] in o[2]["tags"]]
            main.append(f'<section><h2 id="tag-{slug(tag["name"])}">{tag["name"]}</h2>{self.markdown(tag["description"])}')
            main += [self.operation(*o) for o in mine] + ["</section>"]
            nav.append(f'<h2>{tag["name"]}</h2>' + "".join(
                f'<a class="o" href="#{o["operationId"]}" title="{o["summary"]}"><span class="m {m}">{m.upper()}</span>{escape(short(p))}</a>' for m, p, o in mine))
        nav.append('<h2>Reference</h2><a href="#errors">Error codes</a><a href="#schemas">Schemas</a>')
        schemas = "".join(
            f'<article class="schema" id="schema-{name}"><h3><code>{name}</code></h3>{self.markdown(schema.get("description"))}{self.table(schema)}'
            + ('<p>' + "".join(f'<code class="code">{v}</code>' for v in schema["enum"]) + "</p>" if "enum" in schema else "") + "</article>"
            for name, schema in self.parts["schemas"].items() if schema.get("type") == "object" or "enum" in schema)
        style, script = (here / "docs.css").read_text(), (here / "docs.js").read_text()
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{info["title"]}</title><style>{style}</style></head>\n<body>'
            f'<nav aria-label="Contents"><a class="brand" href="#top">{info["title"]}<small>version {info["version"]} · OpenAPI {self.contract["openapi"]}</small></a>'
            f'<input type="search" placeholder="Filter  (press /)" aria-label="Filter operations"><div class="list">{"".join(nav)}</div></nav>\n'
            f'<main id="top"><header class="hero"><h1>{info["title"]}</h1><p class="lead">{info["summary"]}</p><p><a class="button" href="/openapi.yaml">openapi.yaml</a></p></header>\n'
            f'<section>{self.markdown(info["description"])}<h3 id="authentication">Authentication</h3>{self.markdown(self.parts["securitySchemes"]["bearer"]["description"])}'
            f'<h3 id="limits">Limits</h3>{self.limits()}</section>\n{chr(10).join(main)}\n'
            f'<section><h2 id="errors">Error codes</h2>{self.json({"error": {"code": "invalid_preferences", "message": "A preference is out of rule: time_zone."}})}{self.errors()}</section>\n'
            f'<section><h2 id="schemas">Schemas</h2>{schemas}</section></main>\n<script>{script}</script></body></html>\n')


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def short(path):
    return path.removeprefix("/v1")


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    page = Page(yaml.safe_load(source.read_text())).html()
    if "--check" in sys.argv:
        if not target.exists() or target.read_text() != page:
            sys.exit(f"{target} is not what {source} says; run scripts/api-docs")
    else:
        target.write_text(page)
        print(f"{target}: {len(page)} bytes")
