import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Baselines as runs, and what is made of them.
  @Suite(.usualTimeLimit) struct BaselineCommandTests {
    private static let data = ["--data", "calibration", "--validation", "validation"]
    private static let removals = [
      "cosine", "window-cosine", "perplexity-score", "kl-score", "norm-ratio", "l2", "normalized-l2", "greedy",
    ]

    @Test func everyBaselineOfBitsIsARunThatComputesNothingTwice() throws {
      let catalog = try TinyCatalog(.built)
      for (name, options) in [
        ("uniform", ["--target-bits", "3"]), ("random", ["--target-bits", "2.5", "--candidates", "4"]),
        ("higgs", ["--target-bits", "2.5", "--sweep-tokens", "64"]),
        ("sensitivity-dp", ["--target-bits", "2.5", "--sweep-tokens", "64"]),
        ("dp", ["--target-bits", "2.5"]), ("dp", ["--target-bits", "2.5", "--mutation-group", "size"]),
      ] {
        let command = ["baseline", name] + options + Self.data
        let first = try catalog.json(command)
        #expect(try first.text("state") == "finished")
        #expect(try first.number("average_bits") <= 3)
        let again = try catalog.json(command)
        #expect(try again.integer("forward_tokens") == 0)
        #expect(try again.text("run") == first.text("run"))
        #expect(try again.text("assignment") == first.text("assignment"))
      }
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 6)
      #expect(try catalog.number("SELECT count(*) AS n FROM run_summary WHERE strategy = 'dp'") == 2)
      #expect(try catalog.number("SELECT count(*) AS n FROM candidate_result WHERE run = 'random-1'") == 4)
      #expect(try catalog.run("resume", "dp-1").output.contains("No forward pass"))
      #expect(try catalog.run("show", "dp-1").output.contains("dp chose"))
    }

    /// Another test checks the least sum of layer errors against trying everything; here it is that of the run.
    @Test func dpHasTheLeastSumOfLayerErrors() throws {
      let catalog = try TinyCatalog(.built)
      try catalog.output(["baseline", "dp", "--target-bits", "2.5"] + Self.data)
      try catalog.output(["baseline", "random", "--target-bits", "2.5", "--candidates", "8"] + Self.data)
      let sums = try catalog.rows(
        """
        SELECT r.strategy, sum(l.nmse) AS error FROM run_summary r
        JOIN assignment_layer l ON l.assignment = r.found_assignment GROUP BY r.strategy ORDER BY r.strategy
        """)
      #expect(try sums[0].text("strategy") == "dp")
      #expect(try sums[0].number("error") < sums[1].number("error"))
    }

    @Test func noBaselineThatRemovesABlockBeatsBruteForce() throws {
      let catalog = try TinyCatalog(.filled)
      let target = ["--drop-count", "1", "--tie", "block"] + Self.data
      let preview = try catalog.json(["baseline", "brute-force"] + target + ["--dry-run"])
      #expect(try preview.integer("candidates") == 3)
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 0)
      let best = try catalog.json(["baseline", "brute-force"] + target).number("kl_calibration")
      for name in Self.removals {
        let result = try catalog.json(["baseline", name] + target)
        #expect(try result.number("kl_calibration") >= best - 1e-12, "\(name)")
        #expect(try result.integer("dropped_subblock_count") == 2, "\(name)")
        #expect(try catalog.json(["baseline", name] + target).integer("forward_tokens") == 0, "\(name)")
      }
      // One block is one step of removal, of which greedy takes the best.
      #expect(try catalog.json("show", "greedy-1").number("kl_calibration") == best)
      #expect(try catalog.json("show", "kl-score-1").number("kl_calibration") == best)
      let over = try catalog.rows(
        """
        SELECT count(*) AS n FROM candidate c JOIN run r ON r.id = c.run_id JOIN assignment a ON a.id = c.assignment_id
        WHERE (SELECT count(*) FROM json_each(a.dropped_subblocks)) <> 2
        """)
      #expect(over.first?.only == 0)
    }

    @Test func theWorstIsFoundWhereFitnessChooses() throws {
      let catalog = try TinyCatalog(.filled)
      let target = ["--drop-count", "1"] + Self.data
      let best = try catalog.json(["baseline", "brute-force"] + target)
      let worst = try catalog.json(["baseline", "brute-force", "--worst"] + target)
      #expect(try worst.number("kl_calibration") > best.number("kl_calibration"))
      let most = try catalog.number(
        "SELECT max(fitness) AS most FROM candidate_result WHERE run = '\(worst.text("run"))'")
      #expect(try worst.number("kl_calibration") == most)
      #expect(try catalog.json(["baseline", "greedy", "--worst"] + target).number("kl_calibration") <= most)
      for name in ["cosine", "kl-score"] {
        let refused = try catalog.run("baseline", [name, "--worst"] + target)
        #expect(refused.exitCode == 64 && refused.diagnostics.contains("--worst"), "\(refused.diagnostics)")
      }
    }

    @Test func whatIsImpossibleLeavesNoRun() throws {
      let catalog = try TinyCatalog(.built)
      try catalog.output("build", "--method", "rtn", "--bits", "2-4")
      try catalog.output("build", "--method", "magnitude", "--sparsity", "0.25,0.5,0.75")
      for (options, hint) in [
        (["dp", "--target-bits", "3", "--method", "rtn"], "no layer error"),
        (
          ["owl", "--target-sparsity", "0.5", "--method", "magnitude"],
          "no calibration, and owl needs the Hessian's diagonal; build levels with: evodb build FILE --method sparsegpt"
        ),
        (["random", "--target-bits", "2.5", "--candidates", "200000"], "fewer candidates"),
      ] {
        let refused = try catalog.run("baseline", options + Self.data)
        #expect(refused.exitCode == 78 && refused.diagnostics.contains(hint), "\(refused.diagnostics)")
      }
      let refused = try catalog.run("baseline", ["dp", "--target-bits", "3", "--candidates", "3"] + Self.data)
      #expect(refused.exitCode == 64, "\(refused.diagnostics)")
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 0)
    }

    @Test func fewerRandomCandidatesThanAskedForAreCounted() throws {
      let catalog = try TinyCatalog(.filled)
      let random = ["baseline", "random", "--drop-count", "1", "--candidates", "100"]
      #expect(try catalog.output(random + Self.data).contains("91 of the random starts asked for do not exist"))
    }

    @Test func halvesOfBlocksAreRemovedInEqualNumbers() throws {
      let catalog = try TinyCatalog(.filled)
      let target = ["--drop-count", "1"] + Self.data
      #expect(try catalog.json(["baseline", "brute-force"] + target + ["--dry-run"]).integer("candidates") == 9)
      let all = try catalog.json(["baseline", "brute-force"] + target)
      let greedy = try catalog.json(["baseline", "greedy"] + target)
      let block = try catalog.json(["baseline", "cosine"] + target)
      #expect(try all.number("kl_calibration") <= greedy.number("kl_calibration") + 1e-12)
      #expect(try all.number("kl_calibration") <= block.number("kl_calibration") + 1e-12)
      #expect(try greedy.integer("dropped_subblock_count") == 2)
      let fewer = try catalog.json(["baseline", "brute-force", "--tokens", "64"] + target)
      #expect(try fewer.number("kl_calibration") >= all.number("kl_calibration") - 1e-12)
    }

    @Test(arguments: [
      (["dp", "--drop-count", "1"], Int32(78), "greedy"),
      (["owl", "--target-bits", "3"], 78, "a sparsity as the target"),
      (["cosine", "--target-bits", "3"], 78, "blocks to drop as the target"),
      (["uniform", "--target-bits", "2.5"], 78, "random"),
      (["uniform", "--drop-count", "1"], 78, "random"), (["brute-force", "--drop-count", "3"], 78, "1 to 2"),
      (["brute-force", "--drop-count", "1", "--limit", "8"], 78, "limit of 8"),
      (["dp", "--target-bits", "9"], 78, "2.0"),
      (["dp"], 64, "--target-bits"), (["nothing", "--target-bits", "3"], 64, "brute-force"), ([], 64, "--list"),
      (["random", "--target-bits", "3", "--tokens", "9999999"], 78, "768"),
    ])
    func whatCannotBeIsRefusedAndLeavesNoRun(arguments: [String], exitCode: Int32, hint: String) throws {
      let catalog = try TinyCatalog(.built)
      let result = try catalog.run("baseline", arguments + (arguments.isEmpty ? [] : ["--data", "calibration"]))
      #expect(result.exitCode == exitCode, "\(result.diagnostics)")
      #expect(result.diagnostics.contains(hint), "\(result.diagnostics)")
      #expect(try catalog.number("SELECT count(*) AS n FROM run") == 0)
    }

    @Test func theListNamesEveryBaseline() throws {
      let catalog = try TinyCatalog(.missing)
      let list = try catalog.runner.run(["baseline", "--list"])
      #expect(list.exitCode == 0)
      for name in Self.removals + ["uniform", "random", "dp", "owl", "brute-force"] {
        #expect(list.output.contains("\n\(name) "), "\(name)")
      }
    }

    @Test func comparePutsRunsSideBySide() throws {
      let catalog = try TinyCatalog(.searched)
      try catalog.output(["baseline", "dp", "--target-bits", "3"] + Self.data)
      let rows = try catalog.output("compare", "first", "dp-1", "--format", "jsonl").split(separator: "\n").map {
        try JSONFields(String($0))
      }
      #expect(try rows.map { try $0.text("run") } == ["first", "first", "dp-1", "dp-1"])
      #expect(try rows.map { try $0.text("measure") } == ["kl", "perplexity", "kl", "perplexity"])
      #expect(rows[0].isNull("difference") && rows[0].isNull("verdict"))
      let difference = try rows[2].number("value") - rows[0].number("value")
      #expect(abs(try rows[2].number("difference") - difference) < 1e-9)
      let error = try rows[2].number("difference_standard_error")
      let expected = abs(difference) <= 2 * error ? "same" : difference < 0 ? "better" : "worse"
      #expect(try rows[2].text("verdict") == expected)
      let turned = try catalog.output("compare", "first", "--against", "dp-1", "--format", "json")
      #expect(turned.contains("\"difference\""))
      #expect(try catalog.output("compare", "first", "dp-1").contains("dp-1"))
      #expect(try catalog.output("compare", "first", "dp-1", "--format", "csv").hasPrefix("run,strategy,assignment"))
      #expect(try catalog.run("compare").exitCode == 64)
      #expect(try catalog.run("compare", "nobody").exitCode == 66)
    }

    @Test func compareSaysWhatIsNotEvaluated() throws {
      let catalog = try TinyCatalog(.searched)
      try catalog.output("baseline", "dp", "--target-bits", "2.5", "--data", "calibration")
      let result = try catalog.run("compare", "first", "dp-1")
      #expect(result.exitCode == 0)
      #expect(result.output.contains("incomplete"))
      #expect(result.diagnostics.contains("evodb evaluate"))
    }

    @Test func monotonicityFillsItsView() throws {
      let catalog = try TinyCatalog(.built)
      try catalog.output(["baseline", "random", "--target-bits", "3", "--candidates", "12"] + Self.data)
      try catalog.output(["baseline", "brute-force", "--drop-count", "1"] + Self.data)
      try catalog.output(["baseline", "brute-force", "--drop-count", "2"] + Self.data)
      let rows = try catalog.output("monotonicity", "--validation", "validation", "--format", "jsonl")
        .split(separator: "\n").map { try JSONFields(String($0)) }
      let errors = try #require(
        try rows.first {
          try $0.text("kind") == "layer-error" && $0.text("measure") == "kl" && $0.text("data_set") == "calibration"
        })
      #expect(try errors.integer("assignment_count") >= 12)
      #expect(try errors.integer("violation_count") > 0, "layer error does not tell fitness in a model of random text")
      #expect(!errors.isNull("validation_difference"))
      let subsets = try #require(
        try rows.first {
          try $0.text("kind") == "subset" && $0.text("measure") == "kl" && $0.text("data_set") == "calibration"
        })
      // The dense model is a subset of all 18; each of the 9 sets of two is one of 4 of the 9 sets of four.
      #expect(try subsets.integer("pair_count") == 18 + 36)
      let bad = try catalog.number(
        """
        SELECT count(*) AS n FROM monotonicity_violation v WHERE v.data_set = 'calibration' AND v.difference - (
          SELECT p.difference FROM paired_difference p WHERE p.assignment_id = v.lighter_assignment_id
            AND p.other_assignment_id = v.heavier_assignment_id AND p.data_set = v.data_set AND p.measure = 'kl')
          NOT BETWEEN -1e-9 AND 1e-9 AND v.measure = 'kl'
        """)
      #expect(bad == 0)
      let before = try catalog.number("SELECT count(*) AS n FROM monotonicity_violation")
      #expect(try catalog.run("monotonicity", "--validation", "validation").exitCode == 0)
      #expect(try catalog.number("SELECT count(*) AS n FROM monotonicity_violation") == before)
    }
  }
}
