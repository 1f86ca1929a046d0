import HostRuntime

// Hummingbird has types of these names too; here they are always ours.

typealias RequestID = HostRuntime.RequestID
typealias BindAddress = HostRuntime.BindAddress
