import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Map;

/** Run by `mvn package`, which switches `assert` on; a class like this one needs no library of tests. */
public class ServiceTest {
    /** What the application answers: status line, headers and JSON. */
    private static String get(String path, String variant) throws IOException {
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", Service.pages(variant));
        server.start();
        try (var socket = new Socket(server.getAddress().getAddress(), server.getAddress().getPort())) {
            socket.getOutputStream().write(("GET " + path + " HTTP/1.0\r\n\r\n").getBytes());
            return new String(socket.getInputStream().readAllBytes());
        } finally {
            server.stop(0);
        }
    }

    private static void has(String answer, String part) {
        assert answer.contains(part) : answer + " lacks " + part;
    }

    public void testTheStartPageTellsWhichImageItRunsIn() throws IOException {
        var answer = get("/", "smallest");
        has(answer, "\"step\": \"extra-other-languages\"");
        has(answer, "\"variant\": \"smallest\"");
        has(answer, "\"java\": \"" + Runtime.version().feature() + ".");
    }

    public void testWithoutAVariantItDoesNotMakeOneUp() throws IOException {
        has(get("/", null), "\"variant\": \"unknown\"");
    }

    public void testHealthIsOk() throws IOException {
        var answer = get("/health", null);
        has(answer, " 200 OK\r\n");
        has(answer, "{\"status\": \"ok\"}");
    }

    public void testAnUnknownPageIsNotFound() throws IOException {
        has(get("/nowhere", null), " 404 Not Found\r\n");
    }

    public void testAQuotationMarkDoesNotEndAString() {
        assert Service.json(Map.of("a", "\"\\")).equals("{\"a\": \"\\\"\\\\\"}\n");
    }
}
