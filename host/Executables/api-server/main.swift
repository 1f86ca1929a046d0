import APIServer
import Glibc

// Not `exit`: it would run the clean-up of C libraries while a thread of theirs may still be connecting.
_exit(await APIServerProgram.run())
