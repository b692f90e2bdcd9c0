set(FETTLE_PLUGIN_PKGS libcrypto)
