import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.CountDownLatch;

/**
 * A function whose process goes wrong in ways chosen by the event.
 *
 * <p>Neither AWS's runtime client for Java nor its SDK is to be had as packages here: the loop below
 * stands in for the client, and writes a stack trace as it does. What goes wrong is Java's own.
 */
public final class App {
  interface Trouble {
    void cause(String target) throws Exception;
  }

  public static void main(String[] arguments) throws Exception {
    var base = "http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";
    var client = HttpClient.newHttpClient();
    while (true) {
      var next = client.send(HttpRequest.newBuilder(URI.create(base + "next")).build(), BodyHandlers.ofString());
      var id = next.headers().firstValue("Lambda-Runtime-Aws-Request-Id").orElseThrow();
      var answer = "{\"done\":true}";
      var path = "/response";
      try {
        trouble(field(next.body(), "call")).cause(field(next.body(), "target"));
      } catch (Throwable error) {
        error.printStackTrace();
        if (field(next.body(), "how").isEmpty()) {
          answer = "{\"errorMessage\":\"it failed\",\"errorType\":\"" + error.getClass().getName() + "\"}";
          path = "/error";
        }
      }
      var post = HttpRequest.newBuilder(URI.create(base + id + path)).POST(HttpRequest.BodyPublishers.ofString(answer));
      client.send(post.build(), BodyHandlers.discarding());
    }
  }

  static Trouble trouble(String name) {
    return switch (name) {
      case "resolve" -> target -> InetAddress.getByName(target);
      case "open-path" -> target -> Files.readString(Path.of(target));
      case "memory" -> target -> takeMemory();
      case "start-threads" -> target -> startThreads();
      case "open-files" -> target -> openFiles();
      default -> target -> {};
    };
  }

  static void takeMemory() {
    var kept = new ArrayList<byte[]>();
    for (int n = 0; n < 1000; n++) {
      kept.add(new byte[1 << 20]);
    }
  }

  static void startThreads() {
    var stop = new CountDownLatch(1);
    try {
      for (int n = 0; n < 200; n++) {
        var thread = new Thread(
            () -> {
              try {
                stop.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
        thread.setDaemon(true);
        thread.start();
      }
    } finally {
      stop.countDown();
    }
  }

  static void openFiles() throws Exception {
    var kept = new ArrayList<java.io.InputStream>();
    try {
      for (int n = 0; n < 2000; n++) {
        kept.add(Files.newInputStream(Path.of("/etc/hostname")));
      }
    } finally {
      for (var stream : kept) {
        stream.close();
      }
    }
  }

  /** The text of a field of a flat JSON object without escapes, or nothing. */
  static String field(String json, String name) {
    var begin = json.indexOf("\"" + name + "\":");
    if (begin < 0) {
      return "";
    }
    var from = json.indexOf('"', begin + name.length() + 3) + 1;
    return json.substring(from, json.indexOf('"', from));
  }
}
