import Foundation

exit(await WorkerProgram.run())
