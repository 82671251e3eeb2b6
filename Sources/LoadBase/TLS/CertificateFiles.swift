public import TLS

/// PEM files that options name, or one sentence about what is wrong with them.
public enum CertificateFiles {
  /// - Parameter place: The option with its file, as the sentence begins: `--ca-file ca.pem`.
  public static func authorities(_ text: [UInt8], place: String) throws(UsageError) -> TrustStore {
    let certificates = try certificates(text, place: place)
    do throws(TLSSetupError) {
      return try TrustStore(certificates: certificates)
    } catch {
      throw UsageError("\(place): \(error)")
    }
  }

  /// A certificate with those that lead to its authority, and its key.
  public static func identity(
    chain: [UInt8], chainPlace: String, key: [UInt8], keyPlace: String
  ) throws(UsageError) -> TLSIdentity {
    let certificates = try certificates(chain, place: chainPlace)
    let secret = try privateKey(key, place: keyPlace)
    let belongs: Bool
    do throws(TLSSetupError) {
      belongs = try CertificateFacts.keyBelongs(secret, to: certificates[0])
    } catch {
      throw UsageError("\(chainPlace): \(error)")
    }
    guard belongs else { throw UsageError("\(keyPlace): the key is not that of the certificate in \(chainPlace)") }
    return TLSIdentity(chain: certificates, key: secret)
  }

  private static func certificates(_ text: [UInt8], place: String) throws(UsageError) -> [[UInt8]] {
    do throws(PEMReader.Failure) {
      return try PEMReader.certificates(text)
    } catch {
      switch error {
      case .broken(let number): throw UsageError("\(place): PEM block \(number) is broken")
      default: throw UsageError("\(place): no PEM certificate in the file")
      }
    }
  }

  private static func privateKey(_ text: [UInt8], place: String) throws(UsageError) -> SecretBytes {
    do throws(PEMReader.Failure) {
      return try PEMReader.privateKey(text, password: nil)
    } catch {
      switch error {
      case .encrypted, .wrongPassword: throw UsageError("\(place): the key is encrypted; give one without a password")
      case .nothing: throw UsageError("\(place): no PEM private key in the file")
      case .broken, .unreadableKey: throw UsageError("\(place): the private key cannot be read")
      }
    }
  }
}

extension Quantity {
  /// `1.2` or `1.3` as the protocol's number.
  public static func tlsVersion(_ text: String, option: String) throws(UsageError) -> UInt16 {
    switch text {
    case "1.2": return 0x0303
    case "1.3": return 0x0304
    default: throw UsageError("\(option) \(text): expected 1.2 or 1.3")
    }
  }
}
