import Testing

extension Trait where Self == TimeLimitTrait {
  /// The limit of a suite that sets none of its own: it ends what hangs, and is far beyond what a slow or loaded machine
  /// takes.
  public static var usualTimeLimit: Self { .timeLimit(.minutes(20)) }
}
