// Loads a CSV file into a database by JDBC, takes back a change, and prints the rows it then reads.
import java.nio.file.*;
import java.sql.*;
import java.time.LocalDate;
import java.math.BigDecimal;

public class Rows {
    public static void main(String[] args) throws Exception {
        // The password stays out of the list of processes.
        var password = System.getenv("PASSWORD");
        try (var base = DriverManager.getConnection(args[0], System.getenv("ROLE"), password)) {
            base.setAutoCommit(false);
            try (var statement = base.createStatement()) {
                statement.execute("CREATE TEMPORARY TABLE planets"
                    + " (name text, greek text, diameter decimal(8, 1), moons int, discovered text)");
                load(base, Path.of(args[1]));
                base.commit();
                statement.executeUpdate("DELETE FROM planets");
                base.rollback();
                print(statement.executeQuery("SELECT * FROM planets ORDER BY diameter"));
            }
            base.rollback();
        }
    }

    private static void load(Connection base, Path file) throws Exception {
        try (var insert = base.prepareStatement("INSERT INTO planets VALUES (?, ?, ?, ?, ?)")) {
            for (String line : Files.readAllLines(file).subList(1, 9)) {
                String[] words = line.split(",", -1);
                insert.setString(1, words[0]);
                insert.setString(2, words[1]);
                insert.setBigDecimal(3, new BigDecimal(words[2]));
                insert.setObject(4, words[3].isEmpty() ? null : Integer.valueOf(words[3]), Types.INTEGER);
                insert.setString(5, words[4].isEmpty() ? null : LocalDate.parse(words[4]).toString());
                insert.addBatch();
            }
            insert.executeBatch();
        }
    }

    private static void print(ResultSet rows) throws SQLException {
        while (rows.next()) {
            System.out.println(String.join(",", rows.getString("name"), rows.getString("greek"),
                rows.getBigDecimal("diameter").setScale(1).toString(),
                text(rows, "moons"), text(rows, "discovered")));
        }
    }

    private static String text(ResultSet rows, String column) throws SQLException {
        String value = rows.getString(column);
        return value == null ? "" : value;
    }
}
