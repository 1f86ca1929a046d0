import EnclaveDevShim
import Glibc

exit(DevShimEnclave.main())
