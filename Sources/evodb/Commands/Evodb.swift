/// The program: its version and its verbs.
enum Evodb {
  /// Version of this build.
  static let version = "0.1.0"

  /// All verbs.
  static var registry: CommandRegistry {
    CommandRegistry(
      version: version,
      abstract:
        "Finds the best non-uniform compression of a language model and keeps everything it computed in one file.",
      sections: [
        .init(title: "All in one", commands: [AutoCommand.self]),
        .init(
          title: "Step by step",
          commands: [
            InitCommand.self, ImportCommand.self, DataCommand.self, CalibrateCommand.self, BuildCommand.self,
            SearchCommand.self, FrontCommand.self, SensitivityCommand.self, BaselineCommand.self,
            ResumeCommand.self, EvaluateCommand.self,
            ImportProfileCommand.self,
            ExportCommand.self,
          ]),
        .init(title: "Many machines", commands: [WorkerCommand.self, ClusterCommand.self]),
        .init(title: "Share", commands: [MergeCommand.self, PackCommand.self]),
        .init(
          title: "Inspect",
          commands: [
            StatusCommand.self, ListCommand.self, ShowCommand.self, CompareCommand.self, ReportCommand.self,
            MonotonicityCommand.self,
            QueryCommand.self, SchemaCommand.self, DigestCommand.self, CheckCommand.self,
          ]),
        .init(
          title: "History",
          commands: [LogCommand.self, BranchCommand.self, ReplayCommand.self, VoidCommand.self]),
        .init(
          title: "Maintenance",
          commands: [
            VerifyCommand.self, DoctorCommand.self, BackupCommand.self, GcCommand.self, SalvageCommand.self,
            UpgradeCommand.self,
          ]),
      ])
  }
}
