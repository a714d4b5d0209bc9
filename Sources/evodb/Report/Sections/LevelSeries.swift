/// The levels of a table as series of a chart, from few bits or many zeros to much.
struct LevelSeries {
  struct Series {
    let name: String
    /// Rows of the table.
    var rows: [Int]
    /// Where it lies among the levels, from 0 to 7.
    var step: Int
  }

  private(set) var series: [Series] = []

  /// - Parameter data: has the columns `level`, `bits` and `sparsity`. Levels of one sparsity are one, whatever count of zeros
  ///   that is in a layer.
  init(_ data: ReportData) {
    for row in data.rows {
      let name: String
      if let sparsity = data.number(row, "sparsity") {
        let share =
          "\(HumanFormat.number(100 * sparsity, decimals: sparsity * 100 == (sparsity * 100).rounded() ? 0 : 1)) % zero"
        name = data.number(row, "bits").map { "\(ChartScale.label($0)) bits, \(share)" } ?? share
      } else {
        name = data.number(row, "bits").map { "\(ChartScale.label($0)) bits" } ?? data.text(row, "level") ?? ""
      }
      if let index = series.firstIndex(where: { $0.name == name }) {
        series[index].rows.append(row)
      } else {
        series.append(Series(name: name, rows: [row], step: 0))
      }
    }
    for index in series.indices {
      series[index].step =
        series.count > 1 ? index * (ChartStyle.rampCount - 1) / (series.count - 1) : ChartStyle.rampCount / 2
    }
  }
}

extension Plot {
  /// A line for every level over the layers of the model, named at its right end.
  ///
  /// - Parameter value: of a row; nil leaves it out.
  mutating func lines(_ levels: LevelSeries, of data: ReportData, value: (Int) -> Double?) {
    // Names of lines that end close to each other would cover each other.
    var taken: [Double] = []
    for series in levels.series {
      let points = series.rows.sorted {
        (data.integer($0, "layer_index") ?? 0, $0) < (data.integer($1, "layer_index") ?? 0, $1)
      }
      .compactMap { row -> (x: Double, y: Double)? in
        guard let layer = data.integer(row, "layer_index"), let value = value(row) else { return nil }
        return (Double(layer), value)
      }
      line(points, .rampStroke(series.step))
      guard let last = points.last(where: { !y.isLogarithmic || $0.y > 0 }) else { continue }
      let place = y(last.y) + 4
      guard !taken.contains(where: { abs($0 - place) < 12 }) else { continue }
      taken.append(place)
      text(series.name, right + 6, place, .muted, anchor: .start)
    }
  }
}
