/// Options of every verb that computes. Neither changes any result.
struct ResourceOptions: ArgumentGroup {
  @Option("--threads", "N", "Threads that compute [default: all processors].", rule: .within(1...1024))
  var threads: Int?

  @Option("--memory", "SIZE", "Memory to stay below, such as 4GiB [default: three quarters of what is free].")
  var memory: ByteSize?
}
