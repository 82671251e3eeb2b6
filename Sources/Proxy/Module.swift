enum ProxyModule {}
