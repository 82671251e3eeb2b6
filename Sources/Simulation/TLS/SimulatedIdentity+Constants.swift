/// Certificates and keys of simulated worlds: constants, so that every run has the same. Valid from 2020 to 2024, by the worlds'
/// clock alone. They protect nothing.
extension SimulatedIdentity {
  /// Issued all that anybody trusts.
  static let authority =
    """
    -----BEGIN CERTIFICATE-----
    MIIBTTCB9KADAgECAgFSMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME3NpbXVsYXRl
    ZCBhdXRob3JpdHkwHhcNMjAwMTAxMDAwMDAwWhcNMjUwMTAxMDAwMDAwWjAeMRww
    GgYDVQQDDBNzaW11bGF0ZWQgYXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0D
    AQcDQgAEnKWFvWOsY/1s7cRUszBoAnJwHHYu9TXCeO9NAjLo8cMqrDnOvviKVbzk
    Mhlmc6/w38nf7Rou0rm2vurcSkg7zqMjMCEwDwYDVR0TAQH/BAUwAwEB/zAOBgNV
    HQ8BAf8EBAMCAYYwCgYIKoZIzj0EAwIDSAAwRQIhAOWq1st0tSQLNxqfxL3ffkrQ
    87bGGOrs1DJfSxCjvHy3AiBBEfAU7B56rnx14Tgaku0nmaC4ftqsm+o/YQr/ZxAF
    lg==
    -----END CERTIFICATE-----
    """

  /// What the proxy presents.
  static let edge = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIIBTDCB8qADAgECAgFUMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME3NpbXVsYXRl
    ZCBhdXRob3JpdHkwHhcNMjAwMTAxMDAwMDAwWhcNMjUwMTAxMDAwMDAwWjATMREw
    DwYDVQQDDAhlZGdlLnNpbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKgVUHAU
    WW64MZ95fpY7RFM5Xpmteulrb4lG0odi84YLsLvg5wXvMXpbTxuot+3oIJSNg/+c
    /D8BGilHN2N0gyCjLDAqMCgGA1UdEQQhMB+CCGVkZ2Uuc2ltggptdXR1YWwuc2lt
    ggd0Y3Auc2ltMAoGCCqGSM49BAMCA0kAMEYCIQDoh2wqRTiVD3fNTgQpATv/xE4b
    fhGuvJWVtHAdVPvIjQIhALMWPR2F2wcbe8SnbcQM4zOr//Huodnm+oFG2RxBh+Jz
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgX/z1pDpwdzqkBrSs
    AQa0H+HFA4p9/pBjYHo1EfXoFsChRANCAASoFVBwFFluuDGfeX6WO0RTOV6ZrXrp
    a2+JRtKHYvOGC7C74OcF7zF6W08bqLft6CCUjYP/nPw/ARopRzdjdIMg
    -----END PRIVATE KEY-----
    """)

  /// The same, renewed: another key and number.
  static let edgeRenewed = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIIBSjCB8qADAgECAgFVMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME3NpbXVsYXRl
    ZCBhdXRob3JpdHkwHhcNMjAwMTAxMDAwMDAwWhcNMjUwMTAxMDAwMDAwWjATMREw
    DwYDVQQDDAhlZGdlLnNpbTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO6wOis1
    ygOA3fmyujVapJRY8f8+ZbCac6JoU4+PTB50Zst9lOgE49KJA//FtumCBttlp7NP
    P7s08s62/3B4en6jLDAqMCgGA1UdEQQhMB+CCGVkZ2Uuc2ltggptdXR1YWwuc2lt
    ggd0Y3Auc2ltMAoGCCqGSM49BAMCA0cAMEQCIHmhlQz4PKgN6SxYSk/bss+pJujq
    ukhk+kQqNxQf9NV6AiACyQB+IHtN7rzonE3kgG4Bfrqvecr/0XysSoLxbdsr0A==
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgV4ayJMDBXHSQaZFR
    RaVT53lztik76r/g7DqdQZPDw1ShRANCAATusDorNcoDgN35sro1WqSUWPH/PmWw
    mnOiaFOPj0wedGbLfZToBOPSiQP/xbbpggbbZaezTz+7NPLOtv9weHp+
    -----END PRIVATE KEY-----
    """)

  /// The same names with the other kind of key.
  static let edgeRSA = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIICFzCCAb2gAwIBAgIBVjAKBggqhkjOPQQDAjAeMRwwGgYDVQQDDBNzaW11bGF0
    ZWQgYXV0aG9yaXR5MB4XDTIwMDEwMTAwMDAwMFoXDTI1MDEwMTAwMDAwMFowEzER
    MA8GA1UEAwwIZWRnZS5zaW0wggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIB
    AQC257w//85zwf1ZUYvFMvcRwmQaqAhs2oTqbV+9pJZvNosiGEkdToS3IF1Y8iJC
    Pe9J1T5q3ly2xPTbd5uropHJ7MhDtdHe/RItgbGaGrSW/1jPJlq0n/j4qS5rtUvg
    BoeGU0eHtliXLqmBtfGbREBoqwpjY5FHR8/ksMdyMjxfWXaU/XM64Ft5gPxkNN0r
    9+6xIwUo4+G21cj/A8oWAcqEgv92CpiwvW9atIbecLGc34nqSvHIxI5aE761OM2o
    1vGmyINYArSDrdHzGda+rpxmk/GkMDWjOgGjGz6hUbX0cbQYKcSUXXteXaXd5qLS
    yfustSmfIjExDtv0xFsoKviDAgMBAAGjLDAqMCgGA1UdEQQhMB+CCGVkZ2Uuc2lt
    ggptdXR1YWwuc2ltggd0Y3Auc2ltMAoGCCqGSM49BAMCA0gAMEUCIQDu9mK/4t60
    JUT02bXSKkyY1zETFhAlHBlRRAWCsSBq/QIgCeXbgDqFeeCCumaAIVayvxGZ5fNI
    /mVSdaApA1dR2CU=
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC257w//85zwf1Z
    UYvFMvcRwmQaqAhs2oTqbV+9pJZvNosiGEkdToS3IF1Y8iJCPe9J1T5q3ly2xPTb
    d5uropHJ7MhDtdHe/RItgbGaGrSW/1jPJlq0n/j4qS5rtUvgBoeGU0eHtliXLqmB
    tfGbREBoqwpjY5FHR8/ksMdyMjxfWXaU/XM64Ft5gPxkNN0r9+6xIwUo4+G21cj/
    A8oWAcqEgv92CpiwvW9atIbecLGc34nqSvHIxI5aE761OM2o1vGmyINYArSDrdHz
    Gda+rpxmk/GkMDWjOgGjGz6hUbX0cbQYKcSUXXteXaXd5qLSyfustSmfIjExDtv0
    xFsoKviDAgMBAAECggEAOHMT6AKospRL/z2KMC33D+2ZXJrAouvcOsfP1SVPYnqI
    fVjWc+uQTT55YOK2DRC1Yemk7nG7VpM56OQk0NeHPDVOZ4tdfv9HFXFiIWgdlT6w
    p5o0Q2vd+MyqLYbSKI2LVTstp+ZwuBQoL4a6TwvE/yjOt3b61u+Ea5XdsFJtzJU3
    YL7IBCUg2HE/jTz4UAa7DhG/o5gV012hrehf0ye4oApPorCzwSdeYcatKiKLqX5j
    LUsX/5vd3gjd63nC+KSYBSBD+JdbPtzkGHzkdR3t2gfhDzgegaHEACc0XaFH0osD
    E+zFoNU8PP9nOmBm0fvqaswhmhCYU4j9x4m8x2oGtQKBgQDqo12kTKAYtcZZfMI+
    UXa1QygeRX8EVoEzK8Myq+id2Dly9IO3g8SogI5344a6fUz3cpPbmFk0ScD3ahNm
    UB3/sHmoMGpQIX4ubo2zpWUuyPjtQ2b10q7LvZTIe+tQAvbLfNtqRzGNDUB66Md9
    dvEIIOGX9F3JXIYEf8T4pCOfnwKBgQDHjqWqQKm91knypCiHHBQSfnFLyGg7gSfw
    NLh48XK3g2aX+q2ywlm58mRKxcjwuZJmLGEZlbs3NWRKIKFM6hIb+r81Ql9lGIqk
    A03V2uQS8zzTN+WCPWz1nUqDUuLdTD/dHx1NGWa4YKXwbfdBhxLEq2d53rukaOEX
    sg84eyVsnQKBgFoRbc+0zjvOAx60wkdzs/KuncbI/JHott2yrdJUpQ16Q8s5yxn1
    zda0ynuA7mXF1XajF9jSqWNl8FnI8Tt0A5/z2S9Trmul/67JJ0HPeoC0CsHg/rPc
    NNbmpiczUke7a4r/Gaa5P28aqCbGFlW2A54QKSjQV/QEvTka5rxfHYGXAoGBAIR5
    S7yz5HrjcH+lPkpC94g3bBq01Yz69npdZUDUeCUfE9I8VWbf4hSwtqd0mSpE5szx
    FRyY64mA5izXcHzQvmjYkmpWv2ErY43xq5AWGWYDFxPYfYFyKYz7d+Wp9nSWE6dE
    6nyuKiSn9EChn4xekLUCXFTo6YQBI7xJNhV2mqd5AoGBAM8m4PhNZALPyYWp+6yK
    lkiH8WCp9JSoSFZ3FUPd28xw/fygSVOJqxdj1I8LUV+UWKI3QAyVniW6jzO83vMp
    8SL21kuaFP64jpx/YFvL2awSmXqRv5BlWFcAO5pnf9yLMdjUM3VPd17CkiHMRnKj
    KN7XNfT4C8jIaErgXa7K0HGr
    -----END PRIVATE KEY-----
    """)

  /// What the proxy shows to hosts.
  static let proxyClient = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIIBPTCB5KADAgECAgFXMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME3NpbXVsYXRl
    ZCBhdXRob3JpdHkwHhcNMjAwMTAxMDAwMDAwWhcNMjUwMTAxMDAwMDAwWjAQMQ4w
    DAYDVQQDDAVwcm94eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLdJxA+WP49T
    nOkdlCyVXOydIOceB2ZJO0sK0hxD+iETiXxOZZvYAvTLCvhY1PLHkDkUZuVHTw9A
    8cGr9dGYGGOjITAfMB0GA1UdEQQWMBSGEnNwaWZmZTovL3NpbS9wcm94eTAKBggq
    hkjOPQQDAgNIADBFAiEA2GVoKzkp//kzq4ewpVha5fSfv1CUH77qfrEiTKhN1LMC
    IC/j+16TbVBvwIPxgZ1LHzg4QK5GnCqb5UBXF7vaszqz
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeH9N2PJCYdN/awnK
    eukn5if/OHAiULfMCunc7+PmtHChRANCAAS3ScQPlj+PU5zpHZQslVzsnSDnHgdm
    STtLCtIcQ/ohE4l8TmWb2AL0ywr4WNTyx5A5FGblR08PQPHBq/XRmBhj
    -----END PRIVATE KEY-----
    """)

  /// Hosts'.
  static let origin = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIIBQzCB66ADAgECAgFYMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME3NpbXVsYXRl
    ZCBhdXRob3JpdHkwHhcNMjAwMTAxMDAwMDAwWhcNMjUwMTAxMDAwMDAwWjAVMRMw
    EQYDVQQDDApvcmlnaW4uc2ltMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWbRn
    NLUMsMXunbHLwFaxbbFK4wyMJGrGoQmTlRzEbXcgMjeYAxsEQidpOkmwuuzrQIwz
    QkmIEdZliQKW3u5N16MjMCEwHwYDVR0RBBgwFoIKb3JpZ2luLnNpbYIIcGFzcy5z
    aW0wCgYIKoZIzj0EAwIDRwAwRAIgO2fC05DWDPRmli7XZIgyf4vmDnjvjEyLbFRF
    v8IR//MCIAENcbH/gAc/RirRhUH2710nhjpY0IwkKSeFXtvDTQ0T
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8fDOd1qOHg7o1D5I
    anVAfhA8hGBTlK9bnUNBocDAFLGhRANCAARZtGc0tQywxe6dscvAVrFtsUrjDIwk
    asahCZOVHMRtdyAyN5gDGwRCJ2k6SbC67OtAjDNCSYgR1mWJApbe7k3X
    -----END PRIVATE KEY-----
    """)

  /// Hosts' with the other kind of key.
  static let originRSA = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIICDzCCAbagAwIBAgIBWTAKBggqhkjOPQQDAjAeMRwwGgYDVQQDDBNzaW11bGF0
    ZWQgYXV0aG9yaXR5MB4XDTIwMDEwMTAwMDAwMFoXDTI1MDEwMTAwMDAwMFowFTET
    MBEGA1UEAwwKb3JpZ2luLnNpbTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoC
    ggEBANPrnysOdGqZZl0mvZV6NAH9SsXz5M4WLgYNgG2/9+v+EAehQUXyTAjeThpz
    h9lBo8DhvqWSDQUzGVpa29dFG7ivyFVar/j3jUgNffi2mgZ7nckQYGe6HPGvaMEL
    BamYTYHFE2boiIGfk9TFeg8DPu9J5JCXtHSO3DyE9CVVLsor6x6AyJc9VDTCXS8/
    CvCWxz1OFtPWUmUZqWh+t2SpCqqQ5Fk4bIIX7tPz7BOg3mPgbSAHhPkNKgBImMAa
    EqRSyzpwf4aqkuobkeLnp94mkXfb2hitJ6k59qeO+aTJtj72Jm63aq14iGnShnp0
    TfqTdf0Z705Zlq/GAq8G3voGSfECAwEAAaMjMCEwHwYDVR0RBBgwFoIKb3JpZ2lu
    LnNpbYIIcGFzcy5zaW0wCgYIKoZIzj0EAwIDRwAwRAIgBcVURJ1QQ1/h+8NoUczf
    D4TvkIiSS8tZWruO/OVCtKACICwtsWWQBAzgz2QbNZhGNkx0FOLIWQtM68fPPauL
    Swpa
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDT658rDnRqmWZd
    Jr2VejQB/UrF8+TOFi4GDYBtv/fr/hAHoUFF8kwI3k4ac4fZQaPA4b6lkg0FMxla
    WtvXRRu4r8hVWq/4941IDX34tpoGe53JEGBnuhzxr2jBCwWpmE2BxRNm6IiBn5PU
    xXoPAz7vSeSQl7R0jtw8hPQlVS7KK+segMiXPVQ0wl0vPwrwlsc9ThbT1lJlGalo
    frdkqQqqkORZOGyCF+7T8+wToN5j4G0gB4T5DSoASJjAGhKkUss6cH+GqpLqG5Hi
    56feJpF329oYrSepOfanjvmkybY+9iZut2qteIhp0oZ6dE36k3X9Ge9OWZavxgKv
    Bt76BknxAgMBAAECggEARrlCP9zNlkvGgTzuFUYYuDc/bovEJtD5IBT+cOIZi70Y
    vWsf/QdtP6JtH1/CDQveaf8MoHX6+WrBwclDx/Zs13h2m6Gty6FWGZ9DFK9f/Nzh
    Xhokiklu4mufQpl6lMxaxX2vSW8+K0BF1kLnRr5XEQWwjV7LnwCUWHAoiJMCj/53
    lUPTqarJQtHGKHsQpVVFgiHtnJAvFkAfnNyx1IWY+x85yi1vAIQc2RLWRn+mlU6+
    nKXEx0gXXY2iN0oBpozJ2DeWQYQ2OhrIEqRe7q3iB2fmXZPQa0O3RA3Ff/PS34mQ
    v9nHhshJwHtR0GAK4zeSH0/YOPrDzav2g2t4nJ7hBwKBgQDzd9LOf2zmMDEj57Qz
    11T2QeafpKiGO44Pj2swFPKygsN4vhwn5oogP3JUNkVUW37bTvRc8oH7MXQIW1c4
    XqupBAlLl1mWx2aByMhr4E05RKXqd33VOHxErrOT/pbRXyUW+gtaEFqqkLgS1+iF
    WISYjXM2+d1d8C3GOtcaVCF3awKBgQDe1BhSM1CmanTgCiR/meSeiSkwDISKHP7R
    bZOR+Ms2v2NRZ+9KXHDQ4L4pPsVj1DiUoIll/WRhQ+ypMmMhzgx98sGmx8ozvDV3
    shXOKOC0UZjU/Wv/2FUGeiKkpDYIb1Q83v9f75ugrozJMDpE1zEyY/PoDuCankYn
    kXFX8fOHEwKBgQDrohiAiosW7aVhnqqlUc6E15sg/verkpAXNzMCQgPyCOSuQzB0
    3YbpVv6LykqnLjZEgtG1828hcede/ygXAmkZFzL32e93Il1vVqfC4D9dIbeCiUtb
    xWNgBcT/gvLsiC0ZY78A17soQRAmDJiaFeWez6emmYVJmV5z8BanAK2zKQKBgQCp
    dGP2hx2rIMQ26J+vBiptQeO3rZ1RpxFF1O3nkWuA+/UcoEzCoSAOSQt0NE9KRsas
    iJVUoWmn6k7csPvgZmDrmyQXoFIuG9ARcbXRbRbNKkxulTZ/f1XRsioMSPDqYzeN
    fwx4ObCBdpyMF4gIeBnqt0ZyUHYQP5McXify+IX5TwKBgG1toUv6ap4NaZBnchE0
    lNZMxb4IqQCECWq3r3ZX8cuS6dofH7ZUmHcD50doHe3DOpP23ShPGiW39niqvonc
    9vTvVS1XPrqkUM0mMCFnTWmYoiPfp2DI+CIY0sjk62ld1wxkldowVRlYpKq3IouV
    o3FIHG1h0fu7Xp1gbXAGBoNi
    -----END PRIVATE KEY-----
    """)

  /// A client's.
  static let client = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIIBPjCB5qADAgECAgFaMAoGCCqGSM49BAMCMB4xHDAaBgNVBAMME3NpbXVsYXRl
    ZCBhdXRob3JpdHkwHhcNMjAwMTAxMDAwMDAwWhcNMjUwMTAxMDAwMDAwWjARMQ8w
    DQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQpgpOVhzAv
    YlF6HMsFGyab5ZZSOn6qf8XktvTjxDl2xwJlHyXHX3TtFZaNRbdg1YYtJfNJZd5M
    k+GPDtLEzzbGoyIwIDAeBgNVHREEFzAVhhNzcGlmZmU6Ly9zaW0vY2xpZW50MAoG
    CCqGSM49BAMCA0cAMEQCIGVzeKw0PtPQrohAsjbVD7SInWODNHofzjEFoCvvxGiU
    AiBf1aJ19QMZptW3kJ80KuDjw0CalCQ6I9J4/SYzzR4l+Q==
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjDtgBJPahwRtvHA4
    SG6WdPYyufvXWnJ1KeM7oUupTcChRANCAAQpgpOVhzAvYlF6HMsFGyab5ZZSOn6q
    f8XktvTjxDl2xwJlHyXHX3TtFZaNRbdg1YYtJfNJZd5Mk+GPDtLEzzbG
    -----END PRIVATE KEY-----
    """)

  /// The right names, by an authority that nobody trusts.
  static let stranger = SimulatedIdentity(
    certificate: """
    -----BEGIN CERTIFICATE-----
    MIIBbTCCARKgAwIBAgIBWzAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhzdHJhbmdl
    cjAeFw0yMDAxMDEwMDAwMDBaFw0yNTAxMDEwMDAwMDBaMBMxETAPBgNVBAMMCHN0
    cmFuZ2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgR0iIbjfCQy8TnydEG1/
    Btbfni5yp+wjLF6eaQ+luDU/KdFhbv6In5PqOaP9MjPSOIbG43FMQ+K32YaWtYu+
    rKNXMFUwUwYDVR0RBEwwSoIIZWRnZS5zaW2CCm11dHVhbC5zaW2CB3RjcC5zaW2C
    Cm9yaWdpbi5zaW2CCHBhc3Muc2lthhNzcGlmZmU6Ly9zaW0vY2xpZW50MAoGCCqG
    SM49BAMCA0kAMEYCIQDsS/pxD5ap3JlTGMs+AD8ncQeXeseGY83joAJfE/7SZAIh
    AN+sx+Ee8j3eR5+OlY2EJXJOnRj+324QQd33IAMS4PDU
    -----END CERTIFICATE-----
    """,
    key: """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxmxjucr58KSD7N7o
    N5dabfmGKh75mgOWomOHNIvKBiOhRANCAASBHSIhuN8JDLxOfJ0QbX8G1t+eLnKn
    7CMsXp5pD6W4NT8p0WFu/oifk+o5o/0yM9I4hsbjcUxD4rfZhpa1i76s
    -----END PRIVATE KEY-----
    """)
}
