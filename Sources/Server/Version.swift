/// The release that this source is.
public enum ApusVersion {
  public static let number = "0.1.0"
  public static let text = "apus \(number)"
}
