set(FETTLE_PLUGIN_PKGS nettle libcrypto)
