import Foundation

/// A report as one file of HTML that needs nothing else: no network, no script.
struct ReportPage {
  let scope: ReportScope
  let sections: [ReportSection]

  var html: String {
    let title = "\(scope.leading("model") ?? "evodb"): \(scope.fileName)"
    var page = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <title>\(Markup.escaped(title))</title>
      <style>
      \(Self.sheet)
      \(ChartStyle.pageSheet)
      </style>
      </head>
      <body>
      <header>
      <p class="kicker">evodb report · \(Markup.escaped(scope.fileName))</p>
      <h1>\(Markup.escaped(scope.leading("model") ?? scope.fileName))</h1>
      \(sections.count > 1 ? navigation : "")</header>
      <main>

      """
    for section in sections { page += element(section) }
    page += """
      </main>
      <footer>Made by evodb \(Markup.escaped(Evodb.version)) from \(Markup.escaped(scope.fileName)). Every number is the answer of a \
      documented query; its SQL stands below its chart.</footer>
      </body>
      </html>

      """
    return page
  }

  private var navigation: String {
    let links = sections.map { "<a href=\"#\($0.name.rawValue)\">\(Markup.escaped($0.title))</a>" }
    return "<nav aria-label=\"Sections\">\(links.joined(separator: " "))</nav>\n"
  }

  private func element(_ section: ReportSection) -> String {
    let id = section.name.rawValue
    var text =
      "<section id=\"\(id)\" aria-labelledby=\"\(id)-h\">\n<h2 id=\"\(id)-h\">\(Markup.escaped(section.title))</h2>\n"
    text += "<p class=\"\(section.name == .head ? "lead" : "text")\">\(Markup.escaped(section.text))</p>\n"
    if !section.facts.isEmpty {
      text += "<dl class=\"facts\">\n"
      for fact in section.facts {
        text +=
          "<div><dt>\(Markup.escaped(fact.name))</dt><dd>\(Markup.escaped(fact.value))"
          + "<small>\(Markup.escaped(fact.note))</small></dd></div>\n"
      }
      text += "</dl>\n"
    }
    if !section.panels.isEmpty {
      let isNarrow = section.panels.allSatisfy { $0.canvas.width < Plot.usualWidth }
      text += "<div class=\"charts\(isNarrow ? " narrow" : "")\">\n"
      for (index, panel) in section.panels.enumerated() {
        text += "<figure>\n<figcaption>\(Markup.escaped(panel.title))</figcaption>\n"
        text += panel.canvas.element(id: "\(id)-\(index + 1)", title: panel.title, description: panel.description)
        text += "</figure>\n"
      }
      text += "</div>\n"
    }
    for note in section.notes { text += "<p class=\"note\">\(Markup.escaped(note))</p>\n" }
    for data in section.data { text += element(data, section) }
    return text + "</section>\n"
  }

  /// The rows, the statement and the CSV behind a chart.
  private func element(_ data: ReportData, _ section: ReportSection) -> String {
    let query = data.query
    let rows = HumanFormat.count(Int64(data.rows.count))
    let (link, count) = data.csvLink(limit: sections.count > 1 ? Self.csvLimit : Self.loneLimit)
    let isWhole = count == data.rows.count
    let whole = ShellCommand(
      "report", scope.fileName, options: [("--section", section.name.rawValue), ("--format", "csv")])
    return """
      <div class="data">
      <details><summary>Table: \(Markup.escaped(query.question)) (\(rows) \(data.rows.count == 1 ? "row" : "rows"))</summary>
      \(query.description.isEmpty ? "" : "<p class=\"note\">\(Markup.escaped(query.description))</p>\n")\
      \(HTMLTable.element(data.table, caption: query.question, limit: sections.count > 1 ? Self.tableLimit : Self.loneLimit))</details>
      <details><summary>SQL of @\(query.name)</summary>
      <pre>\(Markup.escapedLines(data.statement))</pre></details>
      <a download="\(query.name).csv" href="\(link)">CSV of @\(query.name)\(isWhole ? "" : " (first \(count) rows)")</a>
      \(isWhole ? "" : "<p class=\"note\">All rows: \(Markup.escaped("\(whole)"))</p>\n")</div>

      """
  }

  /// Bytes of one table, and of one CSV, in a page of all sections: it shall stay below 1 MB.
  private static let tableLimit = 40 << 10
  private static let csvLimit = 60 << 10
  /// The same in a page of one section.
  private static let loneLimit = 400 << 10

  private static let sheet = """
    :root{color-scheme:light dark;--ink:#1c2733;--muted:#566270;--paper:#fff;--edge:#e0e5ea;--soft:#f5f7f9;--link:#0b62a8}
    @media screen and (prefers-color-scheme:dark){:root{--ink:#e7ebf0;--muted:#a2adba;--paper:#12171d;--edge:#2a323c;\
    --soft:#1a2129;--link:#7cc0f7}}
    *{box-sizing:border-box}
    body{margin:0 auto;max-width:1128px;padding:32px 20px 48px;background:var(--paper);color:var(--ink);\
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;-webkit-text-size-adjust:100%}
    h1{font-size:28px;line-height:1.2;margin:0 0 12px;overflow-wrap:anywhere}
    h2{font-size:20px;line-height:1.3;margin:0 0 6px}
    a{color:var(--link)}
    .kicker{margin:0 0 4px;color:var(--muted);font-size:13px;overflow-wrap:anywhere}
    nav{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:14px}
    section{margin-top:36px;padding-top:20px;border-top:1px solid var(--edge)}
    .lead{font-size:18px;max-width:46em;margin:0 0 16px;overflow-wrap:anywhere}
    .text{max-width:46em;margin:0 0 16px;color:var(--muted);overflow-wrap:anywhere}
    .note{max-width:46em;margin:8px 0;color:var(--muted);font-size:13px;overflow-wrap:anywhere}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(155px,1fr));gap:12px;margin:0 0 20px}
    .facts div{background:var(--soft);border-radius:6px;padding:12px 14px;min-width:0;overflow-wrap:anywhere}
    dt{color:var(--muted);font-size:13px}
    dd{margin:2px 0 0;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}
    dd small{display:block;font-size:12.5px;font-weight:400;color:var(--muted)}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:28px 32px;margin:0 0 14px}
    .narrow{grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr))}
    figure{margin:0;min-width:0}
    figcaption{font-weight:600;font-size:14px;margin:0 0 8px;overflow-wrap:anywhere}
    svg{display:block;width:100%;height:auto}
    .data{font-size:13px;margin:6px 0 0;display:flex;flex-wrap:wrap;gap:2px 18px;align-items:baseline}
    details{max-width:100%}
    details[open]{flex-basis:100%}
    summary{cursor:pointer;color:var(--link)}
    .scroll{overflow:auto;max-height:440px;border:1px solid var(--edge);border-radius:6px;margin:8px 0}
    table{border-collapse:collapse;font-size:12.5px;font-variant-numeric:tabular-nums}
    caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    th,td{padding:3px 10px;text-align:left;white-space:nowrap;border-bottom:1px solid var(--edge)}
    thead th{position:sticky;top:0;background:var(--soft);font-weight:600}
    .num{text-align:right}
    pre{overflow:auto;background:var(--soft);border-radius:6px;padding:10px 12px;font-size:12px;line-height:1.4;margin:8px 0}
    footer{margin-top:40px;padding-top:16px;border-top:1px solid var(--edge);color:var(--muted);font-size:13px}
    @media print{body{max-width:none;padding:0;font-size:11pt}nav,.data a,summary{display:none}figure{break-inside:avoid}\
    section{break-inside:auto}h2{break-after:avoid}}
    """
}
