import java.security.MessageDigest
import scala.concurrent.{Await, Future}
import scala.concurrent.ExecutionContext.Implicits.global
import scala.concurrent.duration._
import scala.io.Source

sealed trait Shape
case class Square(side: Double) extends Shape
case class Circle(radius: Double) extends Shape

case class Count(word: String, times: Int)

object Words {
  def area(shape: Shape): Double = shape match {
    case Square(side) => side * side
    case Circle(radius) => math.Pi * radius * radius
  }

  def main(files: Array[String]): Unit = {
    val read = Future.traverse(files.toList)(file => Future(Source.fromFile(file).mkString))
    val words = Await.result(read, 30.seconds).flatMap(_.split("[^a-z]+"))
    val counts = words.groupBy(word => word).map { case (word, all) => Count(word, all.size) }
    val most = counts.toList.filter(_.times > 1).sortBy(-_.times)
    val areas = List(Circle(1), Square(2)).map(area).sum
    val digest = MessageDigest.getInstance("SHA-256").digest("abc".getBytes)
    println(s"$most ${"%.4f".format(areas)} ${digest.take(4).map("%02x".format(_)).mkString}")
  }
}
