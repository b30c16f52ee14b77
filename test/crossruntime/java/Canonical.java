import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import org.erdtman.jcs.JsonCanonicalizer;

/** A JSON text a line in; SHA-256 and canonical form a line out (Maven: io.github.erdtman:java-json-canonicalization). */
public class Canonical {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedOutputStream out = new BufferedOutputStream(System.out);
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        for (String line; (line = in.readLine()) != null; ) {
            // it takes objects and arrays only
            byte[] form = new JsonCanonicalizer("[" + line + "]").getEncodedUTF8();
            form = Arrays.copyOfRange(form, 1, form.length - 1);
            for (byte b : sha256.digest(form)) {
                out.write(String.format("%02x", b).getBytes(StandardCharsets.US_ASCII));
            }
            out.write(' ');
            out.write(form);
            out.write('\n');
        }
        out.flush();
    }
}
