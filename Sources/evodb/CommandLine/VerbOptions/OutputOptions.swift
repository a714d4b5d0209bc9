/// Options of every verb that prints data.
struct OutputOptions: ArgumentGroup {
  @Option("--format", "FORMAT", "How results are printed on stdout.") var format: OutputFormat = .table
}
