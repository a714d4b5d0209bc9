/// What an element of a chart looks like, on paper, in light and in dark.
///
/// Series follow Okabe and Ito (Color Universal Design, 2008), lightened for the dark; they differ in shape too. Ramps rise
/// in lightness alone, so that they read in grey.
enum ChartStyle: Hashable {
  case text
  /// Text of the second rank: ticks, notes.
  case muted
  case title
  case grid
  case axis
  /// Points without a name; a path of strokes of no length.
  case crowd
  /// A line of the second rank: leaders, the dense model.
  case guide
  /// The front.
  case front
  /// A marked difference.
  case difference
  /// What is not there: a dropped layer.
  case absent
  /// A filled mark of a series, an outlined one, and its line; the number goes round.
  case mark(Int)
  case outline(Int)
  case stroke(Int)
  /// A step of the ramp, from 0 (little) to 7 (much), and text on it.
  case ramp(Int)
  case rampText(Int)
  /// A line in a step of the ramp.
  case rampStroke(Int)

  static let seriesCount = 8
  static let rampCount = 8

  /// The class of the element.
  var name: String {
    switch self {
    case .text: return "t"
    case .muted: return "m"
    case .title: return "h"
    case .grid: return "g"
    case .axis: return "a"
    case .crowd: return "q"
    case .guide: return "l"
    case .front: return "f"
    case .difference: return "d"
    case .absent: return "x"
    case .mark(let index): return "p\(index % Self.seriesCount)"
    case .outline(let index): return "o\(index % Self.seriesCount)"
    case .stroke(let index): return "s\(index % Self.seriesCount)"
    case .ramp(let step): return "r\(step)"
    case .rampText(let step): return "k\(step)"
    case .rampStroke(let step): return "w\(step)"
    }
  }

  private struct Colours {
    let ink: String
    let muted: String
    let grid: String
    let axis: String
    let crowd: String
    let difference: String
    let paper: String
    let series: [String]
    let ramp: [String]
    /// Text on the first steps of the ramp, text on the others, and how many the first are.
    let rampTexts: (first: String, rest: String, firstCount: Int)
    /// Steps of the ramp that are seen as thin lines.
    let lines: [String]
  }

  private static let light = Colours(
    ink: "#1c2733", muted: "#566270", grid: "#e4e8ed", axis: "#8b96a3", crowd: "#a9b3bf", difference: "#d55e00",
    paper: "#ffffff",
    series: ["#0072b2", "#d55e00", "#009e73", "#b3568a", "#b87a00", "#2b8fc9", "#59636f", "#7a6f00"],
    ramp: ["#edf3fa", "#d3e3f3", "#b0cde8", "#83b1d9", "#5c98cb", "#3272ae", "#1b5290", "#0b3264"],
    rampTexts: ("#12233a", "#ffffff", 5),
    lines: ["#a8c6e2", "#8fb5d9", "#76a4cf", "#5c92c4", "#447fb6", "#2f6ba4", "#1b5290", "#0b3264"])

  private static let dark = Colours(
    ink: "#e7ebf0", muted: "#a2adba", grid: "#2a323c", axis: "#66717e", crowd: "#5d6875", difference: "#ff9a4d",
    paper: "#12171d",
    series: ["#56b4f0", "#ff8f4a", "#33c79c", "#e59ac6", "#f0b440", "#9bd6f7", "#b6c0cc", "#e2d94e"],
    ramp: ["#1c2632", "#1f364d", "#22486c", "#285e92", "#3377b3", "#5597d0", "#87b9e4", "#c6dff5"],
    rampTexts: ("#f2f6fa", "#0c1826", 5),
    lines: ["#2c5078", "#31608f", "#3a71a5", "#4683ba", "#5a97cc", "#75abdb", "#98c3e8", "#c6dff5"])

  /// Rules of the colours, which the theme chooses.
  private static func rules(_ colours: Colours) -> String {
    var rules: [String] = [
      ".t,.h{fill:\(colours.ink)}", ".m{fill:\(colours.muted)}", ".g{stroke:\(colours.grid)}",
      ".a,.l{stroke:\(colours.axis)}", ".q{stroke:\(colours.crowd)}", ".f{stroke:\(colours.axis)}",
      ".t{stroke:\(colours.paper)}", ".d{stroke:\(colours.difference)}", ".x{stroke:\(colours.axis)}",
    ]
    for (index, colour) in colours.series.enumerated() {
      rules.append(".p\(index){fill:\(colour);stroke:\(colours.paper)}")
      rules.append(".o\(index){fill:\(colours.paper);stroke:\(colour)}")
      rules.append(".s\(index){stroke:\(colour)}")
    }
    for (step, colour) in colours.ramp.enumerated() {
      let text = step < colours.rampTexts.firstCount ? colours.rampTexts.first : colours.rampTexts.rest
      rules.append(".r\(step){fill:\(colour)}.k\(step){fill:\(text)}.w\(step){stroke:\(colours.lines[step])}")
    }
    return rules.joined()
  }

  /// Rules that hold in every theme.
  private static let shapes = """
    text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;font-variant-numeric:tabular-nums}\
    .h{font-weight:600}.t{stroke-width:3;stroke-linejoin:round;paint-order:stroke}\
    .g,.a,.l,.f,.d,.x,.q,path[class^=s],path[class^=w]{fill:none}\
    .g,.a{stroke-width:1}.l{stroke-width:1;stroke-dasharray:3 3}.f{stroke-width:1.5}.d{stroke-width:2}.x{stroke-width:1.2}\
    .q{stroke-width:5;stroke-linecap:round}\
    path[class^=p]{stroke-width:1}path[class^=o],path[class^=s]{stroke-width:1.6}path[class^=w]{stroke-width:1.8}
    """

  /// The style sheet of a drawing by itself, for paper.
  static var paperSheet: String { shapes + rules(light) }

  /// The style sheet of a page: light, and dark on screens whose user likes it.
  static var pageSheet: String {
    shapes + rules(light) + "@media screen and (prefers-color-scheme:dark){\(rules(dark))}"
  }
}
