/// One option of every class so that the losses add up to the least within a budget.
///
/// Lagrangian relaxation (Sinha and Zoltners 1979) gives a lower bound, and greedy steps from its answer an upper one. An
/// option whose regret under the relaxation exceeds the distance of the two is in no better answer, so that few options of few
/// classes are left; dynamic programming over cost and loss, with the same bound for every partial answer, finds the best of
/// them (Pisinger 1995, A minimal algorithm for the multiple-choice knapsack problem). Costs are exact integers of any size:
/// there are no buckets.
struct MultipleChoiceKnapsack: Sendable {
  /// The options of one class, with costs rising and losses falling from option to option: `init(options:)` sorts them
  /// and removes those that cost more without losing less.
  struct Class: Sendable {
    struct Option: Sendable {
      let cost: Int64
      let loss: Double
      /// The caller's number of the option.
      let index: Int
    }

    let options: [Option]

    /// - Parameter options: cost and loss by the caller's number; an infinite loss is never taken, and of equal ones the
    ///   cheaper wins.
    init(options: [(cost: Int64, loss: Double)]) {
      let sorted = options.indices.filter { options[$0].loss < .infinity }.sorted {
        (options[$0].cost, options[$0].loss, $0) < (options[$1].cost, options[$1].loss, $1)
      }
      var kept: [Option] = []
      for index in sorted where kept.last.map({ options[index].loss < $0.loss }) ?? true {
        kept.append(Option(cost: options[index].cost, loss: options[index].loss, index: index))
      }
      self.options = kept
    }
  }

  struct Answer: Equatable, Sendable {
    /// The caller's number of the option of every class.
    let choices: [Int]
    /// How far the sum of losses may lie above the least, beyond rounding; 0: it is the least.
    let gap: Double
  }

  /// Partial answers that are followed at a time, beyond which those of the worst bounds are given up.
  static let largestStateCount = 200_000

  let classes: [Class]

  /// The best options.
  ///
  /// - Returns: nil if the cheapest options cost more than the budget, or a class has none.
  func solve(budget: Int64, stateLimit: Int = largestStateCount) -> Answer? {
    guard let relaxation = Relaxation(classes, budget: budget) else { return nil }
    guard let price = relaxation.price else {
      // Everybody takes the option of least loss, and the budget holds.
      return answer(relaxation.choices, gap: 0)
    }
    var search = Search(classes, relaxation, price: price, stateLimit: stateLimit)
    search.run()
    return answer(search.bestChoices, gap: search.gap)
  }

  private func answer(_ places: [Int], gap: Double) -> Answer {
    Answer(choices: zip(classes, places).map { $0.options[$1].index }, gap: gap)
  }
}

extension MultipleChoiceKnapsack {
  /// The relaxed problem's answer: steps along the convex hulls of all classes in the order of what they save per cost, up to
  /// the first that does not fit.
  private struct Relaxation {
    /// The places of the options taken. `[classes]`
    private(set) var choices: [Int]
    /// The budget that the taken options leave.
    private(set) var slack: Int64
    /// Loss saved per cost by the step that no longer fits; nil: all fit.
    private(set) var price: Double?
    /// `choices` with later steps that do fit.
    private(set) var filledChoices: [Int]

    private struct Step {
      let classIndex: Int
      let place: Int
      let cost: Int64
      let rate: Double
    }

    init?(_ classes: [Class], budget: Int64) {
      choices = Array(repeating: 0, count: classes.count)
      slack = budget
      var steps: [Step] = []
      for (index, item) in classes.enumerated() {
        guard let first = item.options.first else { return nil }
        slack -= first.cost
        steps += Self.steps(of: item, index)
      }
      guard slack >= 0 else { return nil }
      // Inside a class rates fall strictly, so its steps stay in order.
      steps.sort { ($0.rate, $1.classIndex) > ($1.rate, $0.classIndex) }
      filledChoices = choices
      var rest = slack
      var isClosed = Array(repeating: false, count: classes.count)
      for step in steps where !isClosed[step.classIndex] {
        guard step.cost <= rest else {
          if price == nil {
            price = step.rate
            choices = filledChoices
            slack = rest
          }
          isClosed[step.classIndex] = true
          continue
        }
        rest -= step.cost
        filledChoices[step.classIndex] = step.place
      }
      if price == nil {
        choices = filledChoices
        slack = rest
      }
    }

    /// The steps along the lower convex hull of (cost, loss).
    private static func steps(of item: Class, _ index: Int) -> [Step] {
      let options = item.options
      var hull = [0]
      func rate(_ from: Int, _ to: Int) -> Double {
        (options[from].loss - options[to].loss) / Double(options[to].cost - options[from].cost)
      }
      for place in options.indices.dropFirst() {
        while hull.count > 1, rate(hull[hull.count - 2], hull[hull.count - 1]) <= rate(hull[hull.count - 1], place) {
          hull.removeLast()
        }
        hull.append(place)
      }
      return zip(hull, hull.dropFirst()).map { from, to in
        Step(classIndex: index, place: to, cost: options[to].cost - options[from].cost, rate: rate(from, to))
      }
    }
  }

  /// Dynamic programming over the differences from the relaxation's answer.
  private struct Search {
    /// A class whose option may differ from the relaxation's.
    private struct Core {
      let classIndex: Int
      /// Options other than the relaxation's, the least regret first.
      let options: [(place: Int, cost: Int64, regret: Double)]
    }

    /// A partial answer: its cost above that of the relaxation, and its regret so far.
    private struct State {
      var cost: Int64
      var regret: Double
      /// Its place in the stage before.
      var parent: Int32
      /// The option taken in this stage; -1: the relaxation's.
      var option: Int32
    }

    private let price: Double
    private let slack: Int64
    private let stateLimit: Int
    private let base: [Int]
    private var cores: [Core] = []
    /// Partial answers after so many cores, by rising cost.
    private var stages: [[State]] = []
    /// The best answer known. `[classes]`
    private(set) var bestChoices: [Int]
    /// Its regret, with what it leaves of the budget at its price.
    private var best = Double.infinity
    /// The least bound of what was given up.
    private var leastLost = Double.infinity

    init(_ classes: [Class], _ relaxation: Relaxation, price: Double, stateLimit: Int) {
      self.price = price
      self.stateLimit = stateLimit
      slack = relaxation.slack
      base = relaxation.choices
      bestChoices = relaxation.filledChoices
      var filled = price * Double(slack)
      for (index, item) in classes.enumerated() {
        let taken = item.options[base[index]]
        func regret(_ option: Class.Option) -> Double {
          max(0, option.loss - taken.loss + price * Double(option.cost - taken.cost))
        }
        let chosen = item.options[bestChoices[index]]
        filled += regret(chosen) - price * Double(chosen.cost - taken.cost)
        let others = item.options.indices.filter { $0 != base[index] }.map { place in
          (place: place, cost: item.options[place].cost - taken.cost, regret: regret(item.options[place]))
        }.sorted { ($0.regret, $0.cost) < ($1.regret, $1.cost) }
        if !others.isEmpty { cores.append(Core(classIndex: index, options: others)) }
      }
      best = max(0, filled)
      // The most promising first: good answers are found early, and leave little of the rest.
      cores.sort { ($0.options[0].regret, $0.classIndex) < ($1.options[0].regret, $1.classIndex) }
    }

    /// How far the best answer may lie above the least.
    var gap: Double { max(0, best - leastLost) }

    mutating func run() {
      let rates = remainingRates()
      stages = [[State(cost: 0, regret: 0, parent: -1, option: -1)]]
      for (index, core) in cores.enumerated() {
        // The least regrets rise from core to core: none of the rest can help.
        guard core.options[0].regret < best else { return }
        let before = stages[index].enumerated().map { place, state in
          State(cost: state.cost, regret: state.regret, parent: Int32(place), option: -1)
        }
        var states = before
        for (number, option) in core.options.enumerated() where option.regret < best {
          let moved = before.map { state in
            State(
              cost: state.cost + option.cost, regret: state.regret + option.regret, parent: state.parent,
              option: Int32(number))
          }
          states = merged(states, moved)
        }
        stages.append(states)
        takeBest(of: index + 1)
        prune(index + 1, rates[index + 1])
        if stages[index + 1].isEmpty { return }
      }
    }

    /// The least regret per cost that the cores from a place on can add and take away. `[cores + 1]`
    private func remainingRates() -> [(up: Double, down: Double)] {
      var rates = [(up: Double, down: Double)](repeating: (.infinity, .infinity), count: cores.count + 1)
      for index in cores.indices.reversed() {
        var (up, down) = rates[index + 1]
        for option in cores[index].options {
          if option.cost > 0 { up = min(up, option.regret / Double(option.cost)) }
          if option.cost < 0 { down = min(down, option.regret / Double(-option.cost)) }
        }
        rates[index] = (up, down)
      }
      return rates
    }

    /// Looks for a better answer among the partial ones, with the relaxation's options for the rest.
    private mutating func takeBest(of stage: Int) {
      var place: Int?
      for (index, state) in stages[stage].enumerated() where state.cost <= slack {
        let regret = state.regret + price * Double(slack - state.cost)
        guard regret < best else { continue }
        best = regret
        place = index
      }
      guard var place else { return }
      bestChoices = base
      for index in stride(from: stage, to: 0, by: -1) {
        let state = stages[index][place]
        let core = cores[index - 1]
        if state.option >= 0 { bestChoices[core.classIndex] = core.options[Int(state.option)].place }
        place = Int(state.parent)
      }
    }

    /// Drops partial answers that no rest makes better than the best one.
    private mutating func prune(_ stage: Int, _ rate: (up: Double, down: Double)) {
      let (slack, price) = (slack, price)
      func bound(_ state: State) -> Double {
        let rest = Double(slack - state.cost)
        return state.regret + (rest >= 0 ? min(price, rate.up) * rest : -rest * rate.down)
      }
      let limit = best
      stages[stage].removeAll { bound($0) >= limit }
      guard stages[stage].count > stateLimit else { return }
      let threshold = stages[stage].map(bound).sorted()[stateLimit]
      leastLost = min(leastLost, threshold)
      stages[stage].removeAll { bound($0) >= threshold }
    }

    /// Two lists by rising cost in one, without states that another one of no higher cost beats.
    private func merged(_ one: [State], _ other: [State]) -> [State] {
      let limit = best
      var result: [State] = []
      result.reserveCapacity(one.count + other.count)
      var (i, j) = (0, 0)
      var least = Double.infinity
      while i < one.count || j < other.count {
        let takesOne =
          j == other.count || i < one.count && (one[i].cost, one[i].regret) <= (other[j].cost, other[j].regret)
        let state = takesOne ? one[i] : other[j]
        if takesOne { i += 1 } else { j += 1 }
        guard state.regret < limit else { continue }
        // The loss, up to a constant: cheaper and no worse is better.
        let loss = state.regret - price * Double(state.cost)
        if loss < least {
          least = loss
          result.append(state)
        }
      }
      return result
    }
  }
}
