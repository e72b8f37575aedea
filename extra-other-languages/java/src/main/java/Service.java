import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpHandlers;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/** A web application small enough to look through: it tells you which image it runs in. */
public class Service {
    private static final int PORT = 8000;

    public static void main(String[] arguments) throws IOException {
        if (List.of(arguments).equals(List.of("--health"))) {
            probe();
        } else {
            serve();
        }
    }

    /** Answers until SIGTERM or Ctrl-C, then lets what it is answering end, for four seconds at most. */
    private static void serve() throws IOException {
        // A client that sends nothing may not hold a connection for ever.
        System.setProperty("sun.net.httpserver.maxReqTime", "5");
        var server = HttpServer.create(new InetSocketAddress(PORT), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", pages(System.getenv("VARIANT")));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.stop(4);
            // By itself, Java ends with 143 after SIGTERM. To stop when told to is no failure.
            Runtime.getRuntime().halt(0);
        }));
        server.start();
        System.out.println("listening on :" + PORT);
    }

    /** The health check of an image that has no shell, and no other program to ask with. */
    private static void probe() throws IOException {
        var connection = (HttpURLConnection) URI.create("http://127.0.0.1:" + PORT + "/health").toURL().openConnection();
        connection.setConnectTimeout(2000);
        connection.setReadTimeout(2000);
        if (connection.getResponseCode() != 200) {
            throw new IOException("it answers " + connection.getResponseCode());
        }
    }

    static HttpHandler pages(String variant) {
        var nothing = HttpHandlers.of(404, new Headers(), "");
        return page("/", image(variant), page("/health", Map.of("status", "ok"), nothing));
    }

    private static HttpHandler page(String path, Map<String, String> told, HttpHandler otherwise) {
        var headers = Headers.of("Content-Type", "application/json");
        return HttpHandlers.handleOrElse(
                request -> request.getRequestURI().getPath().equals(path),
                HttpHandlers.of(200, headers, json(told)),
                otherwise);
    }

    /** Which image this is. The variant comes from compose.yaml, the rest from Java itself. */
    private static Map<String, String> image(String variant) {
        var architecture = System.getProperty("os.arch");
        return Map.of(
                "step", "extra-other-languages",
                "variant", variant == null || variant.isEmpty() ? "unknown" : variant,
                "java", System.getProperty("java.version"),
                "machine", architecture.equals("amd64") ? "x86_64" : architecture);
    }

    static String json(Map<String, String> told) {
        return new TreeMap<>(told).entrySet().stream()
                .map(one -> quoted(one.getKey()) + ": " + quoted(one.getValue()))
                .collect(Collectors.joining(", ", "{", "}\n"));
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
