import ConfigCompiler
import ConfigLoader

/// A configuration that takes one secret of each kind from the file `a`.
enum SecretUsers {
  static let keys: Set<SecretKey> = Set(
    ["certificate", "roots", "tickets"].map { SecretKey(name: $0, path: "a") })

  static let configuration = ConfigurationSource(
    name: "users",
    bytes: Array(
      """
      static_resources:
        listeners:
        - name: edge
          address: { socket_address: { address: 127.0.0.1, port_value: 8443 } }
          filter_chains:
          - transport_socket:
              name: tls
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
                require_client_certificate: true
                session_ticket_keys_sds_secret_config: { name: tickets, sds_config: { path_config_source: { path: a } } }
                common_tls_context:
                  tls_certificate_sds_secret_configs:
                  - { name: certificate, sds_config: { path_config_source: { path: a } } }
                  validation_context_sds_secret_config: { name: roots, sds_config: { path_config_source: { path: a } } }
            filters:
            - name: direct
              typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config }
      """.utf8))

  static var lines: TextLines { TextLines(configuration.bytes) }

  /// The file as it should be. The certificate is in no use anywhere.
  static let right = ConfigurationSource(
    name: "a",
    bytes: Array(
      #"""
      version_info: "1"
      resources:
      - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
        name: certificate
        tls_certificate:
          certificate_chain:
            inline_string: |
              -----BEGIN CERTIFICATE-----
              MIIBrTCCAVSgAwIBAgIUZ4QIxqJfinCvFDFXLHdL3itTeREwCgYIKoZIzj0EAwIw
              FzEVMBMGA1UEAwwMZWRnZS5leGFtcGxlMCAXDTI2MTEyNjExMjAyMFoYDzIxMjYx
              MTAyMTEyMDIwWjAXMRUwEwYDVQQDDAxlZGdlLmV4YW1wbGUwWTATBgcqhkjOPQIB
              BggqhkjOPQMBBwNCAAR+GJgDGYMSVO4Uw3WYTHu0eMUqwsCy6f6nB9f3sHG/HwMa
              67uHKtgVN9n8gXwOd9jfpLAAozg034oZcZXYeXCLo3wwejAdBgNVHQ4EFgQUFG3V
              4UJIHzs2kW78EzR2CZFyLQwwHwYDVR0jBBgwFoAUFG3V4UJIHzs2kW78EzR2CZFy
              LQwwDwYDVR0TAQH/BAUwAwEB/zAnBgNVHREEIDAeggxlZGdlLmV4YW1wbGWCDiou
              ZWRnZS5leGFtcGxlMAoGCCqGSM49BAMCA0cAMEQCICHQbIQyQ9jxlC6/nXulb5kp
              VJ2Rp2fwv1QGD/gAhhjAAiA2oNDVjaooznNVvtDtv1vqhTGt2SwsZ+iDIeKcwAGF
              Og==
              -----END CERTIFICATE-----
          private_key:
            inline_string: |
              -----BEGIN PRIVATE KEY-----
              MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBgwYQ7q7E/mlspfC
              LUt9+4oi+T6PpG9FeOfsFrHrB5mhRANCAAR+GJgDGYMSVO4Uw3WYTHu0eMUqwsCy
              6f6nB9f3sHG/HwMa67uHKtgVN9n8gXwOd9jfpLAAozg034oZcZXYeXCL
              -----END PRIVATE KEY-----
      - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
        name: roots
        validation_context:
          trusted_ca:
            inline_string: |
              -----BEGIN CERTIFICATE-----
              MIIBrTCCAVSgAwIBAgIUZ4QIxqJfinCvFDFXLHdL3itTeREwCgYIKoZIzj0EAwIw
              FzEVMBMGA1UEAwwMZWRnZS5leGFtcGxlMCAXDTI2MTEyNjExMjAyMFoYDzIxMjYx
              MTAyMTEyMDIwWjAXMRUwEwYDVQQDDAxlZGdlLmV4YW1wbGUwWTATBgcqhkjOPQIB
              BggqhkjOPQMBBwNCAAR+GJgDGYMSVO4Uw3WYTHu0eMUqwsCy6f6nB9f3sHG/HwMa
              67uHKtgVN9n8gXwOd9jfpLAAozg034oZcZXYeXCLo3wwejAdBgNVHQ4EFgQUFG3V
              4UJIHzs2kW78EzR2CZFyLQwwHwYDVR0jBBgwFoAUFG3V4UJIHzs2kW78EzR2CZFy
              LQwwDwYDVR0TAQH/BAUwAwEB/zAnBgNVHREEIDAeggxlZGdlLmV4YW1wbGWCDiou
              ZWRnZS5leGFtcGxlMAoGCCqGSM49BAMCA0cAMEQCICHQbIQyQ9jxlC6/nXulb5kp
              VJ2Rp2fwv1QGD/gAhhjAAiA2oNDVjaooznNVvtDtv1vqhTGt2SwsZ+iDIeKcwAGF
              Og==
              -----END CERTIFICATE-----
      - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
        name: tickets
        session_ticket_keys: { keys: [{ inline_bytes: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8= }] }
      """#.utf8))
}
