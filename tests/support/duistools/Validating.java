import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import uk.co.smartdcc.boxed.xmldsig.Validate;

/**
 * The DCC's validator for many messages: starting Java for each would take a second.
 *
 * Takes paths of a message and a certificate, a tab between them, a line each; answers with what
 * the validator says of it on its standard error, on one line.
 */
final class Validating {
    public static void main(String[] none) throws Exception {
        PrintStream answers = System.out;
        System.setOut(new PrintStream(PrintStream.nullOutputStream()));
        BufferedReader asked = new BufferedReader(
            new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = asked.readLine()) != null; ) {
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
            String verdict = Validate.main_aux(line.split("\t")).toString();
            answers.println(
                said.toString(StandardCharsets.UTF_8).strip().replaceAll("\\s*\\R\\s*", " ")
                    + " [" + verdict + "]");
            answers.flush();
        }
    }
}
