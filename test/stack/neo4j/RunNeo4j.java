import java.nio.file.Path;

import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.connectors.HttpConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.server.CommunityBootstrapper;

/** Runs Neo4j's community server in the foreground: data in the first argument, HTTP on the second's port of the loopback, Bolt on the next. */
public class RunNeo4j {
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        int port = Integer.parseInt(arguments[1]);
        int status = new CommunityBootstrapper().start(home, java.util.Map.of(
            HttpConnector.enabled.name(), "true",
            HttpConnector.listen_address.name(), "127.0.0.1:" + port,
            BoltConnector.enabled.name(), "true",
            BoltConnector.listen_address.name(), "127.0.0.1:" + (port + 1),
            GraphDatabaseSettings.auth_enabled.name(), "true",
            GraphDatabaseSettings.pagecache_memory.name(), "64m",
            "server.memory.heap.initial_size", "256m",
            "dbms.usage_report.enabled", "false"));
        if (status != 0) {
            System.exit(status);
        }
    }
}
