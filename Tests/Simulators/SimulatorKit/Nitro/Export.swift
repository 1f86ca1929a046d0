/// The secure module is a module of its own without any package, so that the enclave's tests can have it alone.
@_exported public import SimulatedNitro
