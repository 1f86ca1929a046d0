import EnclaveRuntime
import Glibc

exit(RemoteEnclave.main())
