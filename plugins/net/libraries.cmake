set(FETTLE_PLUGIN_PKGS libssl libcrypto)
set(FETTLE_PLUGIN_LIBS resolv)
