/// The statements of schema version 2 that version 1 had otherwise, as they stood in `schema.sql`.
enum Version2 {
  /// Tables with other names of columns.
  static let renewed: [(table: String, statement: String)] = [
    ("space_member", memberTable), ("stage_result", resultTable),
  ]

  private static let memberTable = """
    CREATE TABLE space_member (
      space_id INTEGER NOT NULL REFERENCES space (id), -- which space
      unit_index INTEGER NOT NULL, -- which unit
      level_index INTEGER NOT NULL, -- at which level
      layer_id INTEGER NOT NULL REFERENCES layer (id), -- which layer of the unit
      variant_id INTEGER REFERENCES variant (id), -- the pinned realisation; NULL: dense, or dropped
      is_dropped INTEGER NOT NULL CHECK (is_dropped IN (0, 1)), -- whether the layer's subblock is removed at this level
      row_check INTEGER NOT NULL, -- see the head of this file
      PRIMARY KEY (space_id, unit_index, level_index, layer_id)
    ) STRICT, WITHOUT ROWID
    """

  private static let resultTable = """
    CREATE TABLE stage_result (
      run_id INTEGER NOT NULL REFERENCES run (id), -- which run
      generation_index INTEGER NOT NULL, -- which generation
      stage_index INTEGER NOT NULL, -- which stage
      candidate_index INTEGER NOT NULL, -- which candidate
      sum REAL, -- over the minibatch, or its beginning if it was stopped early; NULL: diverged
      prediction_count INTEGER NOT NULL, -- tokens predicted
      fitness REAL, -- the measure's value; compares only inside its stage; NULL: diverged
      is_survivor INTEGER NOT NULL CHECK (is_survivor IN (0, 1)), -- whether the stage kept it
      row_check INTEGER NOT NULL, -- see the head of this file
      PRIMARY KEY (run_id, generation_index, stage_index, candidate_index)
    ) STRICT, WITHOUT ROWID
    """

  static let setFitness = """
    CREATE TABLE set_fitness (
      assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- which weights; this table follows from observation
      measure_id INTEGER NOT NULL REFERENCES measure (id), -- which question
      data_set_id INTEGER NOT NULL REFERENCES data_set (id), -- whose every sequence has a finite answer
      distinct_sequence_count INTEGER NOT NULL, -- different sequences of the data set
      prediction_count INTEGER NOT NULL, -- predicted tokens of all its sequences
      sum REAL NOT NULL, -- of the answers, each as often as its sequence is listed
      residual_square_sum REAL NOT NULL, -- over different sequences of (sum - mean x predictions) squared, both as often as listed
      row_check INTEGER NOT NULL, -- see the head of this file
      PRIMARY KEY (assignment_id, measure_id, data_set_id)
    ) STRICT, WITHOUT ROWID
    """

  static let unitChange = """
    CREATE TABLE unit_change (
      base_assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- what a sensitivity sweep starts from
      assignment_id INTEGER NOT NULL REFERENCES assignment (id), -- the base with one unit at another level
      unit TEXT NOT NULL, -- a layer's name, or the names of tied layers
      level TEXT NOT NULL, -- the unit's level here: bits=3, zeros=32768, pattern=2:4, dense, dropped
      row_check INTEGER NOT NULL, -- see the head of this file
      PRIMARY KEY (base_assignment_id, assignment_id)
    ) STRICT, WITHOUT ROWID
    """
}
