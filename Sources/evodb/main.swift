import Foundation

exit(Evodb.registry.run(Array(CommandLine.arguments.dropFirst()), in: .process()).rawValue)
