import APIServer
import Foundation

exit(await APIServerProgram.run())
