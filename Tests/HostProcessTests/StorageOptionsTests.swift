import Foundation
import HostProcess
import HostRuntime
import HostStorage
import Testing

@Suite struct StorageOptionsTests {
    private func options(_ url: String) throws -> RedisOptions {
        let loaded = EnvironmentSource.load(
            process: .api, environment: ["REDIS_URL": url, "DATABASE_URL": "postgres://u@127.0.0.1/x"],
            directory: NSTemporaryDirectory())
        var reader = ConfigurationReader(loaded)
        let storage = StorageConfiguration(reading: &reader)
        try reader.finish()
        return RedisOptions(storage.redis, trustRootsFile: nil)
    }

    @Test(arguments: [
        "redis://127.0.0.1:6380/3", "rediss://user:p%40ss@redis.test:6379/0", "redis://[::1]:6379/0",
    ])
    func keepsTheAddressOfRedis(_ url: String) throws {
        #expect(try options(url).url == url)
    }

    @Test func keepsASocketPath() throws {
        #expect(try options("unix:///run/redis.sock?db=2").url == "unix:/run/redis.sock?db=2")
    }
}
